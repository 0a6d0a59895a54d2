"""The digest of a cell: one changed byte gives another one, the index and the commit do not."""

import shutil
from pathlib import Path

import pytest
from omnistack.suites import digest as module
from omnistack.suites.digest import ANSWERS_FILE, digest, own_code

LOCK = b"""version = 1
[[package]]
name = "click"
version = "8.3.0"
source = { registry = "https://one.example/simple" }
wheels = [{ url = "https://one.example/a/click.whl", hash = "sha256:11", size = 1, upload-time = "2026-01-01" }]
"""
FILES = {"a.py": (0o100644, b"a = 1\n"), ANSWERS_FILE: (0o100644, b"_commit: one\n_src_path: here\nauth: clerk\n")}


def of(
    files: dict[str, tuple[int, bytes]] = FILES, lock: bytes = LOCK, python: str = "3.12.4", foreseen: str | None = None
) -> str:
    return digest(files, lock, interpreter=python, foreseen=foreseen)


def test_the_order_of_files_does_not_matter() -> None:
    assert of(dict(reversed(FILES.items()))) == of()


@pytest.mark.parametrize(
    "changed",
    [
        FILES | {"b.py": (0o100644, b"")},
        FILES | {"a.py": (0o100755, b"a = 1\n")},
        FILES | {"a.py": (0o100644, b"a = 1 \n")},
        FILES | {ANSWERS_FILE: (0o100644, b"_commit: one\n_src_path: here\nauth: custom\n")},
        {"b.py": FILES["a.py"], ANSWERS_FILE: FILES[ANSWERS_FILE]},
    ],
    ids=["a new file", "a mode", "a byte", "an answer", "a name"],
)
def test_every_byte_of_the_rendering_counts(changed: dict[str, tuple[int, bytes]]) -> None:
    assert of(changed) != of()


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"8.3.0", b"8.3.1"), (b"sha256:11", b"sha256:12"), (b"size = 1", b"size = 2"), (b"click", b"clack")],
)
def test_every_package_counts(old: bytes, new: bytes) -> None:
    assert of(lock=LOCK.replace(old, new)) != of()


def test_the_index_does_not_count() -> None:
    mirror = LOCK.replace(b"https://one.example/", b"http://mirror.example/pypi/").replace(b"2026-01-01", b"2026-02-02")
    assert of(lock=mirror) == of()


def test_the_interpreter_counts() -> None:
    assert len({of(), of(python="3.12.5"), of(foreseen="3.14")}) == 3


def test_the_commit_of_the_template_does_not_count() -> None:
    other = FILES | {ANSWERS_FILE: (0o100644, b"_commit: two\n_src_path: there\nauth: clerk\n")}
    assert of(other) == of()


def test_the_redis_server_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = of()
    monkeypatch.setattr(module, "redis_version", lambda: "Redis server v=99")
    assert of() != before


@pytest.mark.parametrize("name", ["steps.py", "cell.py", "user_module/files/app/bookings/models.py"])
def test_the_code_of_the_steps_counts(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "omnistack"
    source = Path(module.__file__).parents[1]
    shutil.copytree(source / "suites", package / "suites")
    shutil.copytree(source / "shell", package / "shell")
    monkeypatch.setattr(module, "__file__", str(package / "suites/digest.py"))
    assert own_code.__wrapped__() == own_code()
    with (package / "suites" / name).open("a") as file:
        file.write("#")
    assert own_code.__wrapped__() != own_code()
