"""A cell: what it does, and what is left when it fails."""

import dataclasses
import os
import socket
import sys
from pathlib import Path

import pytest
from omnistack.inspect.matrix import Row
from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError
from omnistack.suites import interpreters
from omnistack.suites.cell import Cell, Rendering, Workplace, lock, run_cell, write
from omnistack.suites.command import make_plan
from omnistack.suites.interpreters import Interpreter, find_interpreter
from omnistack.suites.steps import Site

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
CELL = Cell("a cell", {"python_version": HERE}, Interpreter(HERE, sys.executable, sys.version))
PYPROJECT = b'[project]\nname = "nothing"\nversion = "1"\nrequires-python = ">=3.12"\n[tool.uv]\npackage = false\n'
FILES = {"pyproject.toml": (0o100644, PYPROJECT)}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "cell", tmp_path / "types", tmp_path / "bytecode")


def test_the_time_of_a_file_tells_its_content(tmp_path: Path) -> None:
    for folder, content in (("one", b"a = 1\n"), ("same", b"a = 1\n"), ("other", b"a = 2\n")):
        write({"a.py": (0o100644, content)}, tmp_path / folder)
    one, same, other = ((tmp_path / folder / "a.py").stat().st_mtime for folder in ("one", "same", "other"))
    assert one == same != other


def test_a_failed_cell_names_its_step_and_leaves_its_folder(tmp_path: Path, place: Workplace) -> None:
    rendering = Rendering(FILES, lock(FILES, CELL))
    outcome = run_cell(CELL, rendering, place, "sqlite+aiosqlite://", workers=1)
    assert not outcome.passed
    assert outcome.failed_step == "migrate"
    assert "app" in outcome.message
    assert (tmp_path / "cell/pyproject.toml").read_bytes() == PYPROJECT
    assert (tmp_path / "cell/failure.log").is_file()


def test_a_project_that_cannot_be_locked_says_why() -> None:
    with pytest.raises(CommandError) as error:
        lock({"pyproject.toml": (0o100644, b"[project")}, CELL)
    assert "pyproject.toml" in error.value.output


def row(version: str) -> Row:
    answers = {"python_version": version, "auth": "clerk"}
    return Row(name=version, given=answers, answers=answers)


def test_cells_of_a_python_that_is_missing_run_on_another_and_the_plan_says_so() -> None:
    plan = make_plan([row(HERE), row("3.99")])
    assert [cell.python for cell in plan.cells] == [HERE, HERE]
    assert [cell.answers["auth"] for cell in plan.cells] == ["clerk", "clerk"]
    assert [cell.foreseen for cell in plan.cells] == [None, "3.99"]
    assert [reason.partition(" (")[0] for reason in plan.not_run] == ["Python 3.99 is not installed"]
    assert "OMNISTACK_PYTHON_3_99" in plan.not_run[0]


def test_without_any_python_nothing_can_run() -> None:
    with pytest.raises(OmniError, match=r"no Python 3\.99"):
        make_plan([row("3.99")])


def test_an_interpreter_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(interpreters.variable(HERE), sys.executable)
    found = find_interpreter(HERE)
    assert found is not None
    assert found.path == sys.executable
    assert found.release == ".".join(map(str, sys.version_info[:3]))


@pytest.mark.parametrize("path", [sys.executable, "/nowhere/python"])
def test_a_named_interpreter_that_is_another_one_is_refused(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMNISTACK_PYTHON_3_99", path)
    with pytest.raises(OmniError, match=r"OMNISTACK_PYTHON_3_99=.* is not a Python 3\.99"):
        find_interpreter("3.99")


def test_an_outcome_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CELL.name = "another"  # type: ignore[misc]  # that is what must fail


def test_a_step_leaves_no_process_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        child = f"import socket; held = socket.create_connection({address!r}); print(flush=True); held.recv(1)"
        code = (
            "import subprocess, sys; "
            f"subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE).stdout.readline()"
        )
        server.settimeout(30)

        Site(tmp_path, dict(os.environ)).run(sys.executable, "-c", code)

        connection, _ = server.accept()
        with connection:
            connection.settimeout(30)
            # The child holds its end open until it is killed.
            assert connection.recv(1) == b""
