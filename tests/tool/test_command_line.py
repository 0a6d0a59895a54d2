"""What holds for every command: help that teaches, one line for whatever goes wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from omnistack import cli
from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError, error_line, program
from omnistack.shell.process import run as run_program

from tests.tool.conftest import Run


@pytest.mark.parametrize("command", ["new", "add", "remove", "update", "list", "why", "matrix"])
def test_every_command_explains_itself_with_an_example(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.status == 0
    assert f"omnistack {command}" in done.out
    assert command in run("--help").out


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("omnistack ")


def test_an_unknown_command_is_one_line(run: Run) -> None:
    done = run("bogus")
    assert done.status == 2
    assert done.err == "error: No such command 'bogus'. See `omnistack --help`.\n"


def test_an_unforeseen_error_is_one_line_and_a_traceback_only_when_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    @cli.app.command("fail", hidden=True)
    def fail() -> None:
        raise RuntimeError("two\nlines")

    done = run("fail")
    assert done.status == 1
    assert done.err == "error: two lines (RuntimeError). This is a bug: report the output of `omnistack --debug …`.\n"
    assert "Traceback" in run("--debug", "fail").err
    assert "Traceback" not in run("fail").err
    monkeypatch.setenv("OMNISTACK_DEBUG", "1")
    assert "Traceback" in run("fail").err


def test_a_cut_off_output_is_no_traceback(small: Path) -> None:
    code = "from omnistack.cli import main; main()"
    command = f'{sys.executable} -c "{code}" list --template {small} | head -n 1'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)  # noqa: S602 - a pipe
    assert "Traceback" not in done.stderr


def test_a_terminal_without_unicode_is_no_reason_to_fail(small: Path) -> None:
    code = "from omnistack.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "matrix", "--template", str(small)],
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_errors_join_what_and_what_next() -> None:
    assert str(OmniError("this is\nwrong.", "do that")) == "this is wrong. do that."
    assert str(OmniError("wrong")) == "wrong."


def test_a_missing_program_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.delenv("UV", raising=False)
    with pytest.raises(OmniError, match=r"uv is not installed\. install uv \(https://docs.astral.sh"):
        run_program(["uv", "sync"])


def test_a_failing_program_is_one_line_and_its_output_is_kept(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="`git status` failed: fatal: not a git repository") as caught:
        run_program(["git", "status"], cwd=tmp_path, hint="run git init")
    assert str(caught.value).endswith("run git init.")
    assert "fatal" in caught.value.output


def test_a_missing_folder_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match=r"git could not be started in .*nowhere: No such file"):
        run_program(["git", "status"], cwd=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("warning: old\nfatal: no repository\n", "fatal: no repository"),
        ("Resolving\nerror: nothing there\n  hint: look\n", "error: nothing there"),
        (
            "  \N{MULTIPLICATION SIGN} No solution found:\n  ╰─▶ Because a needs b,\n      and b is not there.\n",
            "No solution found: Because a needs b, and b is not there.",
        ),
        ("Traceback (most recent call last):\n  File x\nKeyError: 'y'\n", "KeyError: 'y'"),
        ("pyenv: uv: command not found\n\nNote: see help\n", "pyenv: uv: command not found"),
        ("", ""),
    ],
)
def test_the_line_that_says_most_is_told(said: str, line: str) -> None:
    assert error_line(said) == line


def test_the_uv_that_runs_the_tool_is_the_uv_that_it_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    own = tmp_path / "uv"
    own.write_text("")
    own.chmod(0o755)
    monkeypatch.setenv("UV", str(own))
    assert program("uv") == str(own)
    monkeypatch.setenv("UV", str(tmp_path / "gone"))
    assert program("uv") != str(own)
