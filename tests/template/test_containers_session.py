"""Which program `nox -s containers` uses."""

from pathlib import Path

import pytest

from attack.containers import NoCheckerError, check, find_checker


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_the_variable_comes_first(tmp_path: Path) -> None:
    named, beside = program(tmp_path / "named", "exit 0"), program(tmp_path / "beside", "exit 0")
    assert find_checker({"CONTAINERS_CHECK": str(named)}, beside) == [str(named)]
    assert find_checker({}, beside) == [str(beside)]


def test_a_program_that_is_named_and_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NoCheckerError, match="CONTAINERS_CHECK is missing"):
        find_checker({"CONTAINERS_CHECK": "missing"}, tmp_path / "beside")


def test_docker_has_to_answer(tmp_path: Path) -> None:
    program(tmp_path / "docker", "exit 1")
    with pytest.raises(NoCheckerError, match="No Docker engine answers"):
        find_checker({"PATH": str(tmp_path)}, tmp_path / "beside")
    program(tmp_path / "docker", "exit 0")
    assert find_checker({"PATH": str(tmp_path)}, tmp_path / "beside") is None


def test_the_program_gets_the_project(tmp_path: Path) -> None:
    named = program(tmp_path / "named", f'test "$1" = "{tmp_path}/project" || exit 3')
    assert check(tmp_path / "project", [str(named)]) == 0
    assert check(tmp_path / "other", [str(named)]) == 3
