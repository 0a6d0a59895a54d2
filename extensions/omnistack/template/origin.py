"""The template of a rendered project: at the version that it was rendered from, and the newest."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.git import line, plumb, succeeds
from omnistack.shell.process import CommandError, gist
from omnistack.shell.progress import working
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE
from omnistack.template.project import ANSWERS_FILE, Project
from omnistack.template.source import Template

REMOTE_PREFIXES = ("git+", "git@", "gh:", "gl:")
ELSEWHERE = "if it has moved, say where it is now with --template PATH_OR_URL"


@dataclass(frozen=True)
class Origin:
    """A project's template, checked out in a temporary clone at the project's own version."""

    source: str
    """Where it is now; what the project will record."""
    template: Template

    @property
    def repository(self) -> Path:
        """A clone with the whole history."""
        return self.template.root

    def resolve(self, ref: str) -> str:
        """Find the commit of a tag, branch or hash."""
        for name in (ref, f"refs/remotes/origin/{ref}"):
            if succeeds(self.repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"):
                return line(self.repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
        newest = ", ".join(self.template.tags()[:3]) or "none"
        raise OmniError(f"the template has no version {ref!r}", f"its newest tags are: {newest}")

    def newest(self) -> str:
        """Name the newest release, or where there is none, the newest commit."""
        from packaging.version import Version

        releases = [tag for tag in self.template.tags() if not Version(tag).is_prerelease]
        if releases:
            return releases[0]
        return line(self.repository, "ls-remote", "origin", "HEAD").split()[0]

    def describe(self, commit: str) -> str:
        """Name a commit as Copier does."""
        return line(self.repository, "describe", "--tags", "--always", commit)

    @contextmanager
    def at(self, commit: str) -> Iterator[Template]:
        """Check another version out beside the project's own."""
        with tempfile.TemporaryDirectory(prefix="omnistack-version-", ignore_cleanup_errors=True) as folder:
            root = Path(folder) / "template"
            plumb(self.repository, "worktree", "add", "--quiet", "--detach", str(root), commit)
            yield Template(source=self.source, root=root, working_tree=False)

    def contains(self, older: str, newer: str) -> bool:
        """Tell whether a commit is in the history of another (or is the same)."""
        return succeeds(self.repository, "merge-base", "--is-ancestor", older, newer)


@contextmanager
def open_origin(project: Project, elsewhere: str | None) -> Iterator[Origin]:
    """Clone a project's template for a while; `elsewhere` (`--template`) replaces the recorded source."""
    source = _locate(project, elsewhere)
    with tempfile.TemporaryDirectory(prefix="omnistack-origin-", ignore_cleanup_errors=True) as folder:
        clone = Path(folder) / "template"
        with working(f"Fetching the template {source}"):
            _clone(source, clone)
            _checkout(clone, source, project.version)
        yield Origin(source=source, template=Template(source=source, root=clone, working_tree=False))


def _locate(project: Project, elsewhere: str | None) -> str:
    if elsewhere is not None:
        given = Path(elsewhere).expanduser()
        return str(given.resolve()) if given.exists() else elsewhere
    source = project.source
    if _is_remote(source) or Path(source).expanduser().is_absolute():
        return source
    raise OmniError(
        f"the project records its template as {source!r}, a path relative to a folder that nobody knows any more",
        "say where it is with --template PATH_OR_URL",
    )


def _is_remote(source: str) -> bool:
    return "://" in source or source.startswith(REMOTE_PREFIXES)


def _clone(source: str, folder: Path) -> None:
    from copier._vcs import get_repo  # what Copier makes of a source (gh:, git+https:, ~) is told nowhere else

    if not _is_remote(source) and not Path(source).expanduser().exists():
        raise OmniError(f"the template is not at {source}, where the project has it from", ELSEWHERE)
    url = get_repo(source)
    if url is None:
        raise OmniError(f"the template at {source} is no git repository, so it has no versions", ELSEWHERE)
    shared = [] if _is_remote(source) or Path(url).is_file() else ["--shared"]
    try:
        plumb(folder.parent, "clone", "--quiet", "--no-checkout", *shared, "--", url, str(folder))
    except CommandError as error:
        raise OmniError(
            f"the template at {source} cannot be reached: {gist(error.output)}",
            f"check the network and your access; {ELSEWHERE}",
        ) from error


def _checkout(clone: Path, source: str, version: str) -> None:
    try:
        commit = line(clone, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{version}^{{commit}}")
    except CommandError as error:
        raise OmniError(
            f"the project is from version {version}, which the template at {source} does not have: the project was "
            "rendered from changes that were never committed there, or the template has moved",
            "give the repository that has it with --template PATH_OR_URL; if none has, set _commit in "
            f"{ANSWERS_FILE} to the nearest commit of the template, and commit that",
        ) from error
    plumb(clone, "checkout", "--quiet", "--detach", commit)
    for needed in (QUESTIONS_FILE, CATALOG_DIR):
        if not (clone / needed).exists():
            raise OmniError(f"{source} is no OmniStack template: version {version} has no {needed}", ELSEWHERE)
