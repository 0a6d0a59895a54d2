"""A cell: what identifies it, and what is left when it fails."""

import dataclasses
from pathlib import Path

import pytest
from omnistack.inspect.matrix import Row
from omnistack.shell.errors import OmniError
from omnistack.suites.cell import ANSWERS_FILE, Cell, Ledger, Workplace, fingerprint, run_cell, write
from omnistack.suites.command import make_plan

CELL = Cell("a cell", {"python_version": "3.12"})
PYPROJECT = b'[project]\nname = "nothing"\nversion = "1"\nrequires-python = ">=3.12"\n[tool.uv]\npackage = false\n'
FILES = {"pyproject.toml": (0o100644, PYPROJECT), ANSWERS_FILE: (0o100644, b"_commit: one\n")}


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "cell", tmp_path / "types", tmp_path / "bytecode")


def test_a_rendering_is_known_by_its_files() -> None:
    known = fingerprint(CELL, FILES)
    assert fingerprint(CELL, dict(reversed(FILES.items()))) == known
    assert fingerprint(CELL, FILES | {"a.py": (0o100644, b"")}) != known
    assert fingerprint(CELL, FILES | {"pyproject.toml": (0o100755, PYPROJECT)}) != known
    assert fingerprint(Cell("a cell", {"python_version": "3.13"}), FILES) != known


def test_the_commit_of_the_template_makes_no_difference() -> None:
    assert fingerprint(CELL, FILES | {ANSWERS_FILE: (0o100644, b"_commit: two\n")}) == fingerprint(CELL, FILES)


def test_the_time_of_a_file_tells_its_content(tmp_path: Path) -> None:
    for folder, content in (("one", b"a = 1\n"), ("same", b"a = 1\n"), ("other", b"a = 2\n")):
        write({"a.py": (0o100644, content)}, tmp_path / folder)
    one, same, other = ((tmp_path / folder / "a.py").stat().st_mtime for folder in ("one", "same", "other"))
    assert one == same != other


def test_a_failed_cell_names_its_step_and_leaves_its_folder(tmp_path: Path, place: Workplace) -> None:
    passed = Ledger(tmp_path / "passed.txt")
    outcome = run_cell(CELL, FILES, place, "sqlite+aiosqlite://", passed, fresh=False)
    assert not outcome.passed
    assert outcome.failed_step == "lint"
    assert "ruff" in outcome.message
    assert (tmp_path / "cell/pyproject.toml").read_bytes() == PYPROJECT
    assert (tmp_path / "cell/failure.log").is_file()
    assert not (tmp_path / "passed.txt").exists()


def test_a_project_that_cannot_be_locked_fails_at_the_lock(tmp_path: Path, place: Workplace) -> None:
    files = FILES | {"pyproject.toml": (0o100644, b"[project")}
    ledger = Ledger(tmp_path / "l")
    outcome = run_cell(CELL, files, place, "sqlite+aiosqlite://", ledger, fresh=False)
    assert outcome.failed_step == "lock"
    assert "pyproject.toml" in outcome.output


def test_a_ledger_remembers(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "new/passed.txt")
    assert "key" not in ledger
    ledger.add("key")
    ledger.add("other")
    assert "key" in Ledger(tmp_path / "new/passed.txt")
    assert "ke" not in ledger


def row(version: str) -> Row:
    answers = {"python_version": version, "auth": "clerk"}
    return Row(name=version, given=answers, answers=answers)


def test_cells_of_a_python_that_is_not_here_run_on_another_and_it_is_said() -> None:
    plan = make_plan([row("3.12"), row("3.99")])
    assert [cell.python for cell in plan.cells] == ["3.12", "3.12"]
    assert [cell.answers["auth"] for cell in plan.cells] == ["clerk", "clerk"]
    assert [cell.foreseen for cell in plan.cells] == [None, "3.99"]
    assert [reason.partition(":")[0] for reason in plan.not_run] == ["Python 3.99 is not installed"]


def test_without_any_python_there_is_nothing_to_run() -> None:
    with pytest.raises(OmniError, match=r"no Python 3\.99"):
        make_plan([row("3.99")])


def test_an_outcome_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        CELL.name = "another"  # type: ignore[misc]  # that is what must fail
