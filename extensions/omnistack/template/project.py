"""A rendered project: the content of its answers file, and its git repository."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from omnistack.shell.errors import OmniError
from omnistack.shell.git import git, git_bytes, git_names, git_succeeds

ANSWERS_FILE = ".copier-answers.yml"
SHOWN_ITEMS = 3
FIRST_COMMIT = 'git init && git add -A && git commit -m "Start"'
SOURCE_LINE = re.compile(r"(?m)^_src_path:.*(\n[ \t]+.*)*$")

type Answers = dict[str, str | bool]


@dataclass(frozen=True)
class Project:
    """A rendered project."""

    root: Path
    """The folder that holds the answers file."""
    source: str | None
    """The recorded place of its template; none where it was rendered from a folder without git."""
    version: str | None
    """The recorded version that it was last rendered from."""
    answers: Answers


@dataclass(frozen=True)
class CommittedProject(Project):
    """A project in a git repository with a commit, which can be changed by an update."""

    source: str
    version: str
    top: Path
    """The root of the repository: the project's folder, or one above it."""

    @property
    def prefix(self) -> str:
        """The project's folder within the repository: empty, or a path that ends with a slash."""
        relative = self.root.relative_to(self.top).as_posix()
        return "" if relative == "." else f"{relative}/"

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return git(self.top, "rev-parse", "HEAD")

    def require_clean(self) -> None:
        """Refuse uncommitted changes: they could not be distinguished from those that the command makes."""
        arguments = ("--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", ".")
        changed = [entry[3:] for entry in git_names(self.root, "status", *arguments)]
        if changed:
            raise OmniError(
                f"{self.root} has uncommitted changes ({shorten(changed)})",
                "commit or stash them (`git stash -u`), then run the command again",
            )


def shorten(items: list[str], shown: int = SHOWN_ITEMS) -> str:
    """Name the first few of many."""
    more = len(items) - shown
    return ", ".join(items[:shown]) + (f" and {more} more" if more > 0 else "")


def read_project(path: Path) -> Project:
    """Read the project that a file or folder lies in.

    Raises:
        OmniError: neither the folder nor one above it holds an answers file.
    """
    root = find_root(path)
    document = parse_answers((root / ANSWERS_FILE).read_text(encoding="utf-8"), root / ANSWERS_FILE)
    source, version = document.get("_src_path"), document.get("_commit")
    return Project(
        root=root,
        source=str(source) if source else None,
        version=str(version) if version else None,
        answers=public_answers(document),
    )


def open_project(path: Path) -> CommittedProject:
    """Read a project that is to be changed.

    Raises:
        OmniError: the project records no version, or is not committed to a git repository.
    """
    project = read_project(path)
    if not project.source or not project.version:
        raise OmniError(
            f"{project.root / ANSWERS_FILE} does not record which version of the template the project is from: it was "
            "rendered from a folder without git",
            "render a new project with `omnistack new`, and move your own code there",
        )
    return CommittedProject(project.root, project.source, project.version, project.answers, _repository(project.root))


def find_root(path: Path) -> Path:
    """Return the folder of the project that a file or folder lies in."""
    start = path.expanduser()
    # A link in a project is a file of the project, wherever it points to.
    start = start.resolve() if start.is_dir() else start.parent.resolve() / start.name
    for folder in (start, *start.parents):
        if (folder / ANSWERS_FILE).is_file():
            return folder
    missing = "" if start.exists() else " (it does not exist)"
    raise OmniError(
        f"{path} is not in a project rendered from this template{missing}: no {ANSWERS_FILE} in it or above it",
        "run the command in a project, or name one with --project DIR",
    )


def parse_answers(text: str, where: Path | str) -> dict[str, object]:
    """Read the text of an answers file."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OmniError(
            f"{where} is not valid YAML", "if it has conflict markers, resolve them and commit the file"
        ) from error
    if not isinstance(document, dict):
        raise OmniError(f"{where} contains no answers", f"restore it from git: git log -- {ANSWERS_FILE}")
    return {str(name): value for name, value in document.items()}


def public_answers(document: Mapping[str, object]) -> Answers:
    """Leave out Copier's own entries."""
    return {
        name: value for name, value in document.items() if not name.startswith("_") and isinstance(value, str | bool)
    }


def record_source(file: Path, source: str) -> None:
    """Change the recorded place of the template in an answers file."""
    text = file.read_text(encoding="utf-8")
    written = SOURCE_LINE.sub(lambda _: f"_src_path: {_yaml_text(source)}", text, count=1)
    file.write_text(written, encoding="utf-8", newline="\n")


def _yaml_text(text: str) -> str:
    """Write a text as Copier does: plain where YAML reads it back unchanged."""
    try:
        return text if yaml.safe_load(f"_: {text}") == {"_": text} else json.dumps(text)
    except yaml.YAMLError:
        return json.dumps(text)


def _repository(root: Path) -> Path:
    if not git_succeeds(root, "rev-parse", "--show-toplevel"):
        raise OmniError(f"{root} is not in a git repository, which an update needs", f"run: {FIRST_COMMIT}")
    if not git_succeeds(root, "rev-parse", "--verify", "--quiet", "HEAD"):
        raise OmniError(f"the repository of {root} has no commit yet", 'run: git add -A && git commit -m "Start"')
    if not git_bytes(root, "ls-files", "-z", "--", ANSWERS_FILE):
        raise OmniError(f"git does not track {root / ANSWERS_FILE}", f"commit the project, or in it: {FIRST_COMMIT}")
    return Path(os.path.realpath(git(root, "rev-parse", "--show-toplevel")))
