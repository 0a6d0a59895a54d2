"""The first command of the README, on the real template: from nothing to an authenticated request."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from omnistack.shell.process import program as uv

from tests.conftest import CHECKOUT, commit_all
from tests.tool.test_start import read_until

PROGRAM = [sys.executable, "-c", "from omnistack.cli import main; main()"]


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["custom", "clerk"])
def test_one_command_gives_a_backend_that_answers_authenticated_requests(
    template_repo: Path, tmp_path: Path, auth: str
) -> None:
    made = tmp_path / "my-api"
    with subprocess.Popen(
        [*PROGRAM, "new", str(made), "--defaults", "-d", f"auth={auth}", "--start", "--template", str(template_repo)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            shown = read_until(process, "Press Ctrl-C")
            request = re.search(r'curl -H "Authorization: (Bearer \S+)" (http://\S+/users/me)', shown)
            assert request
            asked = urllib.request.Request(request[2], headers={"Authorization": request[1]})  # noqa: S310 - loopback
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - loopback
                assert json.load(answer)["email"] == "me@example.com"
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
    assert process.returncode == 0
    left = subprocess.run(["git", "status", "--porcelain"], cwd=made, capture_output=True, text=True, check=True)
    assert left.stdout == ""
    assert servers_of(made) == []


@pytest.mark.slow
def test_it_runs_from_a_git_url_without_a_checkout(tmp_path: Path) -> None:
    source = tmp_path / "published"
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache")
    for name in ("extensions", "template"):
        shutil.copytree(CHECKOUT / name, source / name, ignore=ignored)
    for name in ("copier.yml", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(CHECKOUT / name, source)
    commit_all(source, "Published", first=True)
    made = tmp_path / "made"
    # As `uvx`, which is `uv tool run`.
    program = [uv("uv"), "tool", "run", "--quiet", "--from", f"git+file://{source}", "omnistack"]
    for arguments, cwd in (
        (["new", str(made), "--preset", "minimal", "--defaults", "--no-sync"], tmp_path),
        (["add", "projects", "--no-sync"], made),
    ):
        done = subprocess.run([*program, *arguments], cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (made / "app/projects/module.py").is_file()
    assert f"_src_path: git+file://{source}\n" in (made / ".copier-answers.yml").read_text()


def servers_of(project: Path) -> list[str]:
    """List what still runs in a project's folder."""
    if not Path("/proc").is_dir():
        return []
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(project) in command:
            found.append(command)
    return found
