"""Versions of the template: cloned, checked out, and compared."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.git import git, git_succeeds
from omnistack.shell.process import CommandError, error_line
from omnistack.shell.progress import working
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE, Catalog, load_catalog
from omnistack.template.location import clone_url, is_remote, locate, published_url
from omnistack.template.project import ANSWERS_FILE, Project, shorten

RENDERED_FROM = (QUESTIONS_FILE, "template", "extensions", ":(exclude)extensions/omnistack")
SHOWN_TAGS = 3
MOVED_HINT = "if the template has moved, name its new place with --template PATH_OR_URL"


@dataclass(frozen=True)
class Template:
    """One version of the template on disk."""

    source: str
    """Its source: a path or a URL."""
    root: Path
    """The folder that holds `copier.yml` of this version."""
    is_working_tree: bool = True
    """Whether `root` is the user's own checkout, where changes may be uncommitted."""

    @cached_property
    def catalog(self) -> Catalog:
        """The pieces and questions of this version."""
        return load_catalog(self.root)

    @cached_property
    def commit(self) -> str:
        """The full hash of the commit."""
        hint = "a project is rendered from a commit: clone the template with git, or commit it"
        try:
            top = Path(git(self.root, "rev-parse", "--show-toplevel")).resolve()
            commit = git(self.root, "rev-parse", "--verify", "HEAD^{commit}")
        except CommandError as error:
            raise OmniError(f"{self.root} is not a git checkout ({error_line(error.output)})", hint) from error
        if top != self.root.resolve():  # the versions of the outer repository are not the template's
            raise OmniError(f"{self.root} is not a git repository of its own, but a folder of {top}", hint)
        return commit

    @cached_property
    def version(self) -> str:
        """The nearest tag, or the short hash where there is none; Copier records it as `_commit`."""
        return git(self.root, "describe", "--tags", "--always", self.commit)

    @cached_property
    def recorded_source(self) -> str:
        """The recorded source of a new project: the URL that has this commit, or without one the path."""
        return (published_url(self.root, self.commit) if self.is_working_tree else None) or self.source

    def tags(self) -> list[str]:
        """List the versions, the newest first; tags that are not version numbers are left out."""
        from packaging.version import InvalidVersion, Version

        versions: list[tuple[Version, str]] = []
        for tag in git(self.root, "tag", "--list").splitlines():
            try:
                versions.append((Version(tag), tag))
            except InvalidVersion:
                continue
        return [tag for _, tag in sorted(versions, reverse=True)]

    def newest_release(self) -> str | None:
        """Return the newest tag that is not a prerelease; none without releases."""
        from packaging.version import Version

        return next((tag for tag in self.tags() if not Version(tag).is_prerelease), None)

    def resolve(self, ref: str) -> str:
        """Return the commit of a tag, branch or hash.

        Raises:
            OmniError: the template has no such version.
        """
        for name in (ref, f"refs/remotes/origin/{ref}"):
            if git_succeeds(self.root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"):
                return git(self.root, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
        newest = ", ".join(self.tags()[:SHOWN_TAGS]) or "none"
        raise OmniError(f"the template has no version {ref!r}", f"its newest tags are: {newest}")

    def uncommitted(self) -> list[str]:
        """List the uncommitted files: changed ones, and new ones in the folders that projects are rendered from."""
        if not self.is_working_tree:
            return []
        # `uv run` may rewrite the lock file for another package index; no project is rendered from it.
        changed = git(self.root, "status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)uv.lock")
        new = git(self.root, "status", "--porcelain", "--untracked-files=all", "--", *RENDERED_FROM)
        return list(dict.fromkeys(line[2:].strip() for line in (*changed.splitlines(), *new.splitlines())))

    def require_clean(self) -> None:
        """Refuse uncommitted changes: a project that was rendered from them could not be updated."""
        if self.commit and (changed := self.uncommitted()):
            raise OmniError(
                f"the template has uncommitted changes ({shorten(changed)}), and a project rendered from them could "
                "never be updated",
                f"commit or stash them in {self.root}, or choose a commit with --vcs-ref",
            )


@dataclass(frozen=True)
class Origin:
    """The template of a project, cloned with its history and checked out at the project's version."""

    source: str
    """The current location of the template; the project will record it."""
    template: Template

    def newest(self) -> str:
        """Return the newest release, or without releases the newest commit."""
        release = self.template.newest_release()
        return release or git(self.template.root, "ls-remote", "origin", "HEAD").split()[0]

    def describe(self, commit: str) -> str:
        """Name a commit as Copier does."""
        return git(self.template.root, "describe", "--tags", "--always", commit)

    @contextmanager
    def at(self, commit: str) -> Iterator[Template]:
        """Check out another version beside the project's own."""
        with _temporary_folder("version") as folder:
            git(self.template.root, "worktree", "add", "--quiet", "--detach", folder, commit, isolated=True)
            yield Template(source=self.source, root=folder, is_working_tree=False)

    def contains(self, older: str, newer: str) -> bool:
        """Return whether a commit is in the history of another, or is the same."""
        return git_succeeds(self.template.root, "merge-base", "--is-ancestor", older, newer)


@contextmanager
def open_template(source: str | None = None, ref: str | None = None) -> Iterator[Template]:
    """Open one version of the template.

    Without a `ref`, a folder is used as it is checked out, and a URL at its newest release. Any other version lies in a
    temporary clone, which is deleted at the end of the block.
    """
    location = locate(source)
    ref = ref or location.ref
    folder = Path(location.source)
    if folder.is_dir() and ref in {None, "HEAD"}:
        _require_template(folder, location.source)
        yield Template(source=location.source, root=folder)
        return
    with _cloned(location.source) as template:
        _checkout(template, template.resolve(ref or template.newest_release() or "HEAD"))
        _require_template(template.root, location.source)
        yield template


@contextmanager
def open_origin(project: Project, moved_to: str | None = None) -> Iterator[Origin]:
    """Open a project's template at the project's version; `moved_to` (`--template`) replaces the recorded source."""
    source = locate(moved_to).source if moved_to else _recorded(project)
    with _cloned(source) as template:
        version = project.version or ""
        try:
            _checkout(template, template.resolve(version))
        except OmniError as error:
            raise OmniError(
                f"the project was rendered from version {version}, which the template at {source} does not have: "
                "it was never pushed or committed there",
                "name a repository that has it with --template PATH_OR_URL; if none has it, set _commit in "
                f"{ANSWERS_FILE} to the nearest commit of the template, and commit that",
            ) from error
        _require_template(template.root, f"{source} at version {version}")
        yield Origin(source=source, template=template)


@contextmanager
def open_project_template(project: Project, moved_to: str | None = None) -> Iterator[Template]:
    """Open the version of the template that a project was rendered from."""
    if project.version is None:
        with open_template(moved_to or project.source) as template:
            yield template
    else:
        with open_origin(project, moved_to) as origin:
            yield origin.template


def _recorded(project: Project) -> str:
    source = project.source or ""
    if is_remote(source) or Path(source).expanduser().is_dir():
        return source
    raise OmniError(
        f"this project records its template as {source}, a folder that does not exist on this machine",
        "name a folder or git URL that has the template with --template PATH_OR_URL; a URL is recorded for everyone",
    )


@contextmanager
def _cloned(source: str) -> Iterator[Template]:
    """Clone the template with all versions; nothing is checked out."""
    url = clone_url(source)
    if url is None:
        raise OmniError(f"the template at {source} is not a git repository, so it has no versions", MOVED_HINT)
    with _temporary_folder("template") as folder:
        shared = ["--shared"] if Path(url).is_dir() else []
        try:
            with working(f"Fetching the template from {source}"):
                git(folder.parent, "clone", "--quiet", "--no-checkout", "--origin=origin", *shared, "--", url, folder)
        except CommandError as error:
            raise OmniError(
                f"the template at {source} cannot be reached: {error_line(error.output)}",
                f"check the address, the network and your access; {MOVED_HINT}",
            ) from error
        yield Template(source=source, root=folder, is_working_tree=False)


def _checkout(template: Template, commit: str) -> None:
    git(template.root, "checkout", "--quiet", "--detach", commit, isolated=True)


@contextmanager
def _temporary_folder(name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"omnistack-{name}-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve() / "template"


def _require_template(root: Path, where: str) -> None:
    for needed in (QUESTIONS_FILE, CATALOG_DIR):
        if not (root / needed).exists():
            raise OmniError(f"{where} is not an OmniStack template: it has no {needed}", MOVED_HINT)
