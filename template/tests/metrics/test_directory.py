"""The shared directory: processes that are killed, and what is left of them."""

import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.samples import Sample

from app.kit.user_error import UserError
from app.metrics import directory as directories
from app.metrics.allocation import AllocatedDict
from app.metrics.directory import DirectoryBusyError, MetricsDirectory
from app.metrics.exposition import render

PROCESS = """
import os, sys
from pathlib import Path
import tests
from app.metrics.instruments import instruments_in
metrics = instruments_in(Path(sys.argv[1]))
metrics.traffic.cache_lookups.labels("sample", "hit").inc(3)
metrics.work.jobs.labels("sample", "success").observe(0.02)
metrics.processes.running.labels("server").set(1)
print("ready", flush=True)
sys.stdin.readline()
"""
COUNTER = "app_cache_lookups_total"
BUCKET = "app_job_duration_seconds_bucket"
RUNNING = "app_processes"


class Process:
    """A process that has written metrics and runs until it is killed."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROCESS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line == b"ready\n":
                return
        pytest.fail("The process has ended.")

    def kill(self) -> None:
        """End it without any cleanup."""
        self.process.kill()
        self.process.communicate()


def samples(folder: Path) -> list[Sample]:
    """Return what a scrape would read."""
    directory = MetricsDirectory(folder)
    with directory.locked():
        merged = MultiProcessCollector.merge(directory.files())  # type: ignore[no-untyped-call]  # untyped library
        return [sample for family in merged for sample in family.samples]


def total(folder: Path, name: str, **labels: str) -> float:
    """Return the sum of the samples with this name and these labels."""
    return sum(one.value for one in samples(folder) if one.name == name and labels.items() <= one.labels.items())


class TestDeadProcesses:
    def test_keep_their_totals_and_lose_their_gauges(self, folder: Path) -> None:
        first, second = Process(folder), Process(folder)
        assert (total(folder, COUNTER), total(folder, RUNNING)) == (6, 2)
        first.kill()
        assert (total(folder, COUNTER), total(folder, RUNNING)) == (6, 1)
        second.kill()
        third = Process(folder)
        assert (total(folder, COUNTER), total(folder, RUNNING)) == (9, 1)
        assert total(folder, BUCKET, le="0.05") == total(folder, BUCKET, le="+Inf") == 3
        assert total(folder, BUCKET, le="0.01") == 0
        third.kill()

    def test_leave_no_more_than_one_pair_of_files(self, folder: Path) -> None:
        for _ in range(3):
            Process(folder).kill()
        assert total(folder, COUNTER) == 9
        assert {path.name for path in folder.glob("*.db")} == {"counter_folded3.db", "histogram_folded3.db"}
        assert not list(folder.glob("*.lock"))

    @pytest.mark.parametrize("step", ["_add_up", "_delete", "_write_state"])
    def test_are_counted_once_if_the_folding_process_dies(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        Process(folder).kill()
        Process(folder).kill()
        with monkeypatch.context() as patch:
            owner = directories if step == "_add_up" else MetricsDirectory
            original, calls = getattr(owner, step), []

            def die(*args: object, **kwargs: object) -> None:
                calls.append(step)
                # The first deletion precedes the folding; the second sum is that of histograms.
                if step == "_write_state" or len(calls) > 1:
                    raise SystemExit
                original(*args, **kwargs)

            patch.setattr(owner, step, die)
            with pytest.raises(SystemExit):
                total(folder, COUNTER)
        assert total(folder, COUNTER) == total(folder, COUNTER) == 6
        assert total(folder, BUCKET, le="+Inf") == 2

    def test_that_were_killed_while_creating_a_file_do_no_harm(self, folder: Path) -> None:
        Process(folder).kill()
        (folder / "1-aa.lock").touch()
        (folder / "counter_1-aa.db").touch()
        assert total(folder, COUNTER) == 3


class TestDirectory:
    def test_is_private(self, folder: Path) -> None:
        MetricsDirectory(folder)
        assert folder.stat().st_mode & 0o077 == 0

    def test_is_refused_if_it_is_a_link(self, folder: Path, tmp_path: Path) -> None:
        folder.symlink_to(tmp_path)
        with pytest.raises(UserError, match="METRICS_DIR"):
            MetricsDirectory(folder)

    def test_that_is_locked_is_given_up(self, folder: Path) -> None:
        directory = MetricsDirectory(folder)
        with directory.locked(), pytest.raises(DirectoryBusyError), MetricsDirectory(folder).locked(timeout=0.05):
            pytest.fail("Another one holds the lock.")


class TestDamagedFiles:
    """Files that a power failure, or another version of the library, leaves."""

    @pytest.mark.parametrize("damage", [b"\xff" * 40, b"\x40\0\0\0\0\0\0\0\x08\0\0\0nojson!!" + bytes(48)])
    def test_of_a_dead_process_are_left_out(self, folder: Path, damage: bytes) -> None:
        Process(folder).kill()
        next(folder.glob("counter_*.db")).write_bytes(damage)
        running = Process(folder)
        assert (total(folder, COUNTER), total(folder, BUCKET, le="+Inf")) == (3, 2)
        running.kill()

    @pytest.mark.parametrize("content", ["", "null", '{"generation": "folded"}', '{"generation": 7, "folded": []}'])
    def test_of_the_totals_let_them_begin_again(self, folder: Path, content: str) -> None:
        Process(folder).kill()
        assert total(folder, COUNTER) == 3
        (folder / "folded.json").write_text(content)
        running = Process(folder)
        assert total(folder, COUNTER) == 3
        running.kill()
        assert total(folder, COUNTER) == 3

    def test_do_not_fail_a_scrape(self, folder: Path) -> None:
        running = Process(folder)
        (folder / "counter_folded9.db").write_bytes(b"\xff" * 40)
        assert b"app_processes" in render(MetricsDirectory(folder), [])
        running.kill()


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
import tests
from app.kit.user_error import UserError
from app.metrics.instruments import instruments_in
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    metrics = instruments_in(Path(sys.argv[1]))
except UserError as error:
    sys.exit(str(error))
series = metrics.work.jobs.labels("first", "success")
try:
    for number in range(1000):
        metrics.work.jobs.labels(str(number), "success").observe(1)
except OSError:
    series.observe(1)
    print(number)
"""


class TestFullDisk:
    def test_stops_new_series_only(self, folder: Path) -> None:
        result = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(folder), "100000"], capture_output=True, text=True, check=True
        )
        assert int(result.stdout) > 10
        assert total(folder, BUCKET, job="first", le="+Inf") == 1

    def test_at_the_start_is_an_error_for_the_operator(self, folder: Path) -> None:
        result = subprocess.run(
            [sys.executable, "-c", FULL_DISK, str(folder), "1000"], capture_output=True, text=True, check=False
        )
        assert f"The metrics directory {folder} cannot be used" in result.stderr
        assert "Traceback" not in result.stderr

    def test_allocates_each_mapped_file(self, tmp_path: Path) -> None:
        file = tmp_path / "counter_1.db"
        values = AllocatedDict(str(file))
        for number in range(1_500):
            values.write_value(f"a long enough name of a value {number}", 1.0, 0.0)  # type: ignore[no-untyped-call]
        values.close()  # type: ignore[no-untyped-call]
        status = file.stat()
        assert status.st_size > 100_000
        if sys.platform != "win32":
            assert status.st_blocks * 512 >= status.st_size
