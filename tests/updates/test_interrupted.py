"""Whatever stops a command half-way leaves the project as it was, down to the files that git ignores."""

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.updates.workshop import MakeProject, Project, Repository

OMNISTACK = Path(sys.executable).parent / "omnistack"
WAITING = """\
#!/bin/sh
# Does what it is called for; at one command it tells the test first, and waits for it.
case " $* " in
*" {command} "*)
    {before}
    echo reached > {folder}/reached
    read _ < {folder}/go
    {after}
    ;;
esac
exec {program} "$@"
"""


class Halted:
    """The tool, started in a process of its own, with a program that halts at one of its commands."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        # Opened both ways, a pipe blocks nobody.
        self._reached, self._go = (self._pipe(name) for name in ("reached", "go"))

    def _pipe(self, name: str) -> int:
        os.mkfifo(self._folder / name)
        return os.open(self._folder / name, os.O_RDWR)

    def halt(self, program: str, command: str, *, before: str = "", after: str = "") -> None:
        real = shutil.which(program) or "true"
        script = WAITING.format(command=command, folder=self._folder, program=real, before=before, after=after)
        file = self._folder / program
        file.write_text(script.replace("REAL", real))
        file.chmod(0o755)

    def start(self, project: Project, *arguments: str) -> None:
        # `uv run`, which may run the tests, names itself in UV, and that goes before PATH.
        environment = {name: value for name, value in os.environ.items() if name != "UV"}
        environment["PATH"] = f"{self._folder}{os.pathsep}{environment['PATH']}"
        self._process = subprocess.Popen(
            [OMNISTACK, *arguments], cwd=project.root, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        process = self._process
        threading.Thread(target=lambda: (process.wait(), os.write(self._reached, b"ended\n")), daemon=True).start()
        if os.read(self._reached, 100) != b"reached\n":
            pytest.fail("".join(process.communicate()))

    def interrupt(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    def finish(self) -> tuple[int, str]:
        assert self._process is not None
        os.write(self._go, b"go\n")
        out, err = self._process.communicate(timeout=60)
        return self._process.returncode, out + err

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def halted(tmp_path: Path) -> "Halted":
    folder = tmp_path / "programs"
    folder.mkdir()
    return Halted(folder)


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(("git", "clone", "", ""), id="as the template is fetched"),
        pytest.param(("git", "write-tree", "", ""), id="as Copier works"),
        pytest.param(("git", "fetch", "", ""), id="as the result is brought over"),
        pytest.param(("git", "read-tree", "", ""), id="as the files are put in place"),
        pytest.param(("git", "read-tree", 'REAL "$@"', "exit 0"), id="after the files are put in place"),
        pytest.param(("uv", "sync", "echo changed > uv.lock", "exit 1"), id="as the packages are installed"),
    ],
)
def test_ctrl_c_leaves_the_project_as_it_was(
    project: MakeProject, halted: Halted, where: tuple[str, str, str, str]
) -> None:
    made = project()
    made.edit("docs/handbook.md", "Line 5\n", "Line 5, mine\n")
    made.write("uv.lock", "locked\n")
    made.commit("Mine")
    before, head = made.files(), made.git("rev-parse", "HEAD")
    program, command, first, then = where
    # A conflict would keep the packages from being installed.
    arguments = ["add", "clock"] if program == "uv" else ["update"]
    halted.halt(program, command, before=first, after=then)
    try:
        halted.start(made, *arguments)
        halted.interrupt()
        status, text = halted.finish()
    finally:
        halted.close()
    assert status == 130, text
    assert "interrupted" in text
    assert "Traceback" not in text
    assert made.files() == before
    assert made.status == ""
    assert made.git("rev-parse", "HEAD") == head
    assert not (made.root / ".git/index.lock").exists()


@pytest.mark.parametrize("done", ['REAL "$@"', "rm docs/leaving.md && mkdir -p docs && echo half > docs/arriving.md"])
def test_a_failure_as_the_files_are_put_in_place_takes_them_back(
    project: MakeProject, halted: Halted, done: str
) -> None:
    made = project()
    before = made.files()
    halted.halt("git", "read-tree", before=done, after="echo fatal: disk full >&2; exit 128")
    try:
        halted.start(made, "update", "--no-sync")
        status, text = halted.finish()
    finally:
        halted.close()
    assert status == 1
    assert "disk full" in text
    assert made.files() == before
    assert made.status == ""


def test_a_template_that_cannot_be_rendered_changes_nothing(
    releases: Repository, project: MakeProject, tmp_path: Path
) -> None:
    template = releases.clone(tmp_path / "template")
    template.write("template/docs/broken.md.jinja", "{{ nobody.knows }}\n")
    template.commit("Broken", "v3.0.0")
    made = project()
    before = made.files()
    ran = made.omnistack("update", "--template", str(template.root))
    assert ran.status == 1
    assert "the update failed and the project was not changed" in ran.err
    assert ran.err.count("\n") == 1
    assert made.files() == before
    assert made.status == ""


@pytest.mark.parametrize(("path", "content"), [("app/clock/__init__.py", "Mine.\n"), ("app/clock", "Mine.\n")])
def test_a_file_that_git_ignores_is_never_written_over(project: MakeProject, path: str, content: str) -> None:
    made = project()
    made.write(".git/info/exclude", ".env\n__pycache__/\nclock\n")
    made.write(path, content)
    before = made.files()
    ran = made.omnistack("add", "clock")
    assert ran.status == 1
    assert "app/clock/__init__.py would be written, but a file that git ignores is in the way" in ran.err
    assert made.files() == before


def test_when_the_packages_cannot_be_installed_the_change_stays_and_says_so(
    project: MakeProject, halted: Halted
) -> None:
    made = project()
    halted.halt("uv", "sync", after="echo error: no network >&2; exit 2")
    try:
        halted.start(made, "add", "clock")
        status, text = halted.finish()
    finally:
        halted.close()
    assert status == 1
    assert (
        "warning: the files were changed, but the packages could not be installed: `uv sync` failed: error: no network"
        in text
    )
    assert "A  app/clock/__init__.py" in made.status


def test_the_lock_file_is_staged_beside_the_rest(project: MakeProject, halted: Halted) -> None:
    made = project()
    halted.halt("uv", "sync", after="echo locked > uv.lock; exit 0")
    try:
        halted.start(made, "add", "clock")
        status, text = halted.finish()
    finally:
        halted.close()
    assert status == 0, text
    assert "A  uv.lock" in made.status
    assert "  uv sync" not in text.replace("&& uv sync", "")
