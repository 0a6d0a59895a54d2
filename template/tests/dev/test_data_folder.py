"""The data folder of the tests' PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import databases
from tests.databases import data_folder


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands in for the memory's."""
    monkeypatch.setattr(databases, "MEMORY_NEEDED", 1)
    folder = tmp_path / "memory"
    folder.mkdir()
    return folder


def test_is_in_memory_and_is_removed(memory: Path, tmp_path: Path) -> None:
    with data_folder(tmp_path / "disk", memory) as folder:
        assert folder.parent == memory
        (folder / "postgres").mkdir()
    assert list(memory.iterdir()) == []


def test_is_on_disk_without_a_memory_folder(tmp_path: Path) -> None:
    with data_folder(tmp_path, tmp_path / "missing") as folder:
        assert folder == tmp_path


def test_is_on_disk_if_memory_is_low(memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "MEMORY_NEEDED", 2**62)
    with data_folder(tmp_path / "disk", memory) as folder:
        assert folder == tmp_path / "disk"


def test_of_a_killed_run_is_removed_and_of_a_running_one_is_kept(memory: Path, tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    prefix = "app-tests-"
    killed = memory / f"{prefix}{ended.stdout.decode().strip()}-a"
    running = memory / f"{prefix}{os.getpid()}-b"
    for folder in (killed, running):
        (folder / "postgres").mkdir(parents=True)
    with data_folder(tmp_path / "disk", memory):
        assert not killed.exists()
        assert running.exists()
