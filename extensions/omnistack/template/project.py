"""A rendered project: what its answers file says, and the git repository that it lies in."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from omnistack.shell.errors import OmniError
from omnistack.shell.git import line, names, plumb, succeeds

ANSWERS_FILE = ".copier-answers.yml"
SHOWN = 3

type Answers = dict[str, str | bool]


@dataclass(frozen=True)
class Project:
    """A rendered project whose repository has a commit."""

    root: Path
    """The folder that holds the answers file."""
    top: Path
    """The root of its git repository: the same folder, or one above."""
    source: str
    """Where its template is, as recorded."""
    version: str
    """The version that it was last rendered from, as recorded."""
    answers: Answers

    @property
    def prefix(self) -> str:
        """The project's folder in the repository: empty, or a path that ends with a slash."""
        relative = self.root.relative_to(self.top).as_posix()
        return "" if relative == "." else f"{relative}/"

    @property
    def head(self) -> str:
        """The commit that is checked out."""
        return line(self.top, "rev-parse", "HEAD")

    def require_clean(self) -> None:
        """Refuse changes that are not committed: they could not be told from what the command changes."""
        status = names(self.root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", ".")
        changed = [entry[3:] for entry in status]
        if changed:
            raise OmniError(
                f"{self.root} has changes that are not committed ({shorten(changed)})",
                "commit them, or put them aside with `git stash -u`, then run the command again",
            )


def shorten(items: list[str], shown: int = SHOWN) -> str:
    """Name the first few of many."""
    more = len(items) - shown
    return ", ".join(items[:shown]) + (f" and {more} more" if more > 0 else "")


def open_project(folder: Path) -> Project:
    """Read a rendered project; whatever keeps it from being updated is an error that says what to do."""
    root = folder.expanduser().resolve()
    document = _read_answers(root)
    source, version = document.get("_src_path"), document.get("_commit")
    if not isinstance(source, str) or not version:
        raise OmniError(
            f"{root / ANSWERS_FILE} does not say which version of the template the project is from",
            "it was rendered from a folder without git, so there is nothing to compare with: render a new one with "
            "`omnistack new` and move your own code there",
        )
    answers = public_answers(document)
    return Project(root=root, top=_repository(root), source=source, version=str(version), answers=answers)


def parse_answers(text: str, where: Path | str) -> dict[str, object]:
    """Read the text of an answers file."""
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise OmniError(f"{where} is no YAML", "if it has conflict markers, resolve and commit them") from error
    if not isinstance(document, dict):
        raise OmniError(f"{where} holds no answers", f"bring it back: git log -- {ANSWERS_FILE}")
    return {str(name): value for name, value in document.items()}


def public_answers(document: Mapping[str, object]) -> Answers:
    """Leave out what Copier notes for itself."""
    return {
        name: value for name, value in document.items() if not name.startswith("_") and isinstance(value, str | bool)
    }


def _read_answers(root: Path) -> dict[str, object]:
    file = root / ANSWERS_FILE
    if not file.is_file():
        if not root.is_dir():
            raise OmniError(f"there is no folder {root}", "name the project with --project DIR")
        above = next((folder for folder in root.parents if (folder / ANSWERS_FILE).is_file()), None)
        hint = f"use --project {above}" if above else "run the command in one, or name it with --project DIR"
        raise OmniError(f"{root} is no project rendered from this template: it has no {ANSWERS_FILE}", hint)
    return parse_answers(file.read_text(encoding="utf-8"), file)


def _repository(root: Path) -> Path:
    start = 'git init && git add -A && git commit -m "Start"'
    if not succeeds(root, "rev-parse", "--show-toplevel"):
        raise OmniError(f"{root} is in no git repository, which an update is merged with", f"run: {start}")
    if not succeeds(root, "rev-parse", "--verify", "--quiet", "HEAD"):
        raise OmniError(f"the repository of {root} has no commit yet", 'run: git add -A && git commit -m "Start"')
    if not plumb(root, "ls-files", "-z", "--", ANSWERS_FILE):
        raise OmniError(f"git does not track {root / ANSWERS_FILE}", f"commit the project, or in it: {start}")
    return Path(os.path.realpath(line(root, "rev-parse", "--show-toplevel")))
