"""The directory in which the processes of one machine share their metrics.

Each process writes files of its own (`prometheus_client.mmap_dict`), which survive its death, and holds the lock of
`<id>.lock` as long as it lives: the kernel releases it even if the process is killed. Counters and histograms of dead
processes are folded into one pair of files, so that no total falls and the directory does not grow. Gauges of dead
processes are deleted.
"""

import json
import os
import secrets
import stat
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from prometheus_client.mmap_dict import MmapedDict

from app.kit.file_lock import lock, open_lock_file
from app.kit.user_error import UserError
from app.metrics.allocation import AllocatedDict

logger = structlog.stdlib.get_logger(__name__)

LOCK_TIMEOUT: Final = 5.0
"""Seconds to wait for another process that reads or folds the files."""
LOCK_POLL: Final = 0.02
KEPT_KINDS: Final = ("counter", "histogram")
"""Kinds of metrics whose totals outlive their process."""
MIN_FILE_SIZE: Final = 8
"""Bytes. A process that was killed while it created a file leaves a shorter one."""


class DirectoryBusyError(Exception):
    """Another process holds the lock of the directory for too long."""


class MetricsDirectory:
    """The shared directory. Its methods block for a short time: call them outside of the event loop.

    Raises:
        UserError: the directory cannot be created, or belongs to another user.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._own_locks: list[int] = []
        _create_private(path)

    def register(self) -> str:
        """Register this process until it ends, and return its id.

        Raises:
            DirectoryBusyError: the directory is locked for too long.
        """
        id_ = f"{os.getpid()}-{secrets.token_hex(4)}"
        with self.locked():
            self._own_locks.append(_lock(self.path / lock_name(id_)))
            self._fold()
        return id_

    def files(self) -> list[str]:
        """Fold the files of dead processes, and return the files to add up. Call it while the lock is held."""
        self._fold()
        return [str(path) for path in sorted(self.path.glob("*.db")) if path.stat().st_size >= MIN_FILE_SIZE]

    @contextmanager
    def locked(self, name: str = "directory", *, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Hold a lock that all processes share.

        Raises:
            DirectoryBusyError: another process holds it for longer than the timeout.
        """
        deadline = time.monotonic() + timeout
        while (descriptor := _try_lock(self.path / f".{name}")) is None:
            if time.monotonic() >= deadline:
                raise DirectoryBusyError(name)
            time.sleep(LOCK_POLL)
        try:
            yield
        finally:
            os.close(descriptor)

    def _fold(self) -> None:
        """Add the totals of dead processes to those of earlier ones.

        `folded.json` names the current pair of files with totals (their generation), and the processes that they
        contain. Replacing it is atomic. A process that is killed before has changed nothing; one that is killed after
        leaves files that are ignored, and that the next call deletes.
        """
        generation, folded = self._state()
        live, dead = self._processes()
        self._delete(folded, keep=generation)
        dead -= folded
        if not dead:
            return
        for kind in KEPT_KINDS:
            names = [generation, *sorted(dead)]
            sources = [self.path / f"{kind}_{name}.db" for name in names]
            _add_up(sources, self.path / f"{kind}_folded{generation_number(generation) + 1}.db")
        following = f"folded{generation_number(generation) + 1}"
        self._write_state(following, dead)
        self._delete(dead, keep=following)
        logger.info("metrics_folded", processes=len(dead), running=len(live))

    def _state(self) -> tuple[str, set[str]]:
        try:
            state = json.loads((self.path / "folded.json").read_text())
            generation_number(state["generation"])
            return state["generation"], set(state["folded"])
        except FileNotFoundError:
            return "folded0", set()
        except (ValueError, TypeError, KeyError, AttributeError):
            # The totals begin again, as after the directory was deleted.
            logger.warning("metrics_file_damaged", file="folded.json")
            return "folded0", set()

    def _write_state(self, generation: str, folded: set[str]) -> None:
        temporary = self.path / "folded.json.new"
        temporary.write_text(json.dumps({"generation": generation, "folded": sorted(folded)}))
        temporary.replace(self.path / "folded.json")

    def _processes(self) -> tuple[set[str], set[str]]:
        """Return the ids of the running processes, and those of the dead ones that have left files."""
        live, dead = set(), set()
        for path in self.path.glob("*.lock"):
            descriptor = _try_lock(path)
            if descriptor is None:
                live.add(path.stem)
            else:
                os.close(descriptor)
                dead.add(path.stem)
        return live, dead

    def _delete(self, ids: set[str], *, keep: str) -> None:
        """Delete the files of folded processes, and totals of other generations than the current one."""
        for path in self.path.glob("*.db"):
            owner = path.stem.rpartition("_")[2]
            if owner in ids or (owner.startswith("folded") and owner != keep):
                path.unlink(missing_ok=True)
        for id_ in ids:
            (self.path / lock_name(id_)).unlink(missing_ok=True)


def lock_name(process_id: str) -> str:
    """Return the name of the file that a process locks while it lives."""
    return f"{process_id}.lock"


def generation_number(generation: str) -> int:
    """Return the number of a generation of totals."""
    return int(generation.removeprefix("folded"))


def _add_up(sources: Sequence[Path], target: Path) -> None:
    """Write the sums of the files' values to a new file."""
    totals: defaultdict[str, float] = defaultdict(float)
    for source in sources:
        if not source.exists() or source.stat().st_size < MIN_FILE_SIZE:
            continue
        for key, value in values_in(source) or ():
            totals[key] += value
    target.unlink(missing_ok=True)
    written = AllocatedDict(str(target))
    for key, value in totals.items():
        written.write_value(key, value, 0.0)  # type: ignore[no-untyped-call]  # as are the others of this class
    written.close()  # type: ignore[no-untyped-call]


def values_in(path: Path) -> list[tuple[str, float]] | None:
    """Return the values of a file by their keys, or `None` if it is damaged, as after a power failure."""
    try:
        values = MmapedDict.read_all_values_from_file(str(path))  # type: ignore[no-untyped-call]
        found = [(key, value) for key, value, _timestamp, _position in values]
        for key, _value in found:
            _metric, _name, _labels, _help = json.loads(key)
    except (ValueError, TypeError, RuntimeError, struct.error):
        logger.warning("metrics_file_damaged", file=path.name)
        return None
    return found


def effective_user() -> int:
    """Return the id of the user of this process; 0 on Windows, where every file has the owner 0."""
    if sys.platform == "win32":
        return 0
    return os.geteuid()


def _create_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise UserError(
            f"The metrics directory {path} cannot be created: {error.strerror}. Set METRICS_DIR."
        ) from error
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != effective_user():
        raise UserError(f"The metrics directory {path} is a link or belongs to another user. Set METRICS_DIR.")


def _try_lock(path: Path) -> int | None:
    """Return the descriptor of the locked file, or `None` if another process holds the lock."""
    descriptor = open_lock_file(path)
    try:
        lock(descriptor)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _lock(path: Path) -> int:
    descriptor = _try_lock(path)
    if descriptor is None:
        raise DirectoryBusyError(path.name)
    return descriptor
