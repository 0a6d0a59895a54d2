"""The digest that identifies the outcome of a cell: of every byte that could change it."""

import hashlib
import json
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from omnistack.shell.process import run

ANSWERS_FILE = ".copier-answers.yml"
OWN_CODE = ("cell.py", "digest.py", "server.py", "steps.py", "user_module.py", "user_module/**/*", "../shell/*.py")
"""The files, relative to this one's folder, that determine the steps of a cell."""


def digest(files: Mapping[str, tuple[int, bytes]], lock: bytes, *, interpreter: str, foreseen: str | None) -> str:
    """Hash a rendering, its lock, the interpreter, the servers that its tests start, and the suites' own code.

    Args:
        files: mode and content by path.
        lock: the content of `uv.lock`.
        interpreter: the build of the Python that runs it.
        foreseen: the Python that it is only checked for.
    """
    whole = hashlib.sha256()
    for part in (interpreter, str(foreseen), redis_version(), own_code(), canonical_lock(lock)):
        whole.update(f"{len(part.encode())}\0{part}".encode())
    for path, (mode, content) in sorted(files.items()):
        kept = _without_commit(content) if path == ANSWERS_FILE else content
        whole.update(f"{path}\0{mode & 0o111}\0{len(kept)}\0".encode() + kept)
    return whole.hexdigest()


def canonical_lock(lock: bytes) -> str:
    """Return a lock as JSON, without what differs between two indexes that serve the same files.

    A package stays identified by its name, its version and the SHA-256 of each of its files.
    """
    return json.dumps(_without_index(tomllib.loads(lock.decode())), sort_keys=True)


def _without_index(value: object) -> object:
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if key not in {"registry", "upload-time"}}
        if isinstance(url := kept.get("url"), str):
            kept["url"] = url.rpartition("/")[2]
        return {key: _without_index(one) for key, one in kept.items()}
    return [_without_index(one) for one in value] if isinstance(value, list) else value


def _without_commit(content: bytes) -> bytes:
    """Drop the template's origin from the answers file: nothing in the project reads it."""
    return b"".join(
        line for line in content.splitlines(keepends=True) if not line.startswith((b"_commit:", b"_src_path:"))
    )


@cache
def own_code() -> str:
    """Hash the suites' own code."""
    here = Path(__file__).parent
    whole = hashlib.sha256()
    for path in sorted({path for pattern in OWN_CODE for path in here.glob(pattern) if path.is_file()}):
        if path.suffix != ".pyc":
            content = path.read_bytes()
            whole.update(f"{path.relative_to(here.parent)}\0{len(content)}\0".encode() + content)
    return whole.hexdigest()


@cache
def redis_version() -> str:
    """Return the version line of the installed Redis server; empty without one, where tests use an imitation."""
    server = shutil.which("redis-server")
    if server is None:
        return ""
    try:
        return run([server, "--version"], cwd=Path.cwd()).strip()
    except (OSError, subprocess.SubprocessError):
        return ""
