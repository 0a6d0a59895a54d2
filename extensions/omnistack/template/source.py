"""Where the template is, which version it is, and whether it can be rendered from."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError, gist, git, run
from omnistack.shell.progress import working
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE, Catalog, load_catalog

ENV_VAR = "OMNISTACK_TEMPLATE"
QUIET_GIT = {"GIT_TERMINAL_PROMPT": "0"}
RENDERED_FROM = (QUESTIONS_FILE, "template", "extensions", ":(exclude)extensions/omnistack")
SHOWN = 3
REMOTE_PREFIXES = ("git+", "git@", "gh:", "gl:")
_CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Template:
    """A version of the template on disk."""

    source: str
    """What a project records as its origin: a path or a URL."""
    root: Path
    """The folder that holds `copier.yml` of this version."""
    working_tree: bool = True
    """Whether `root` is the user's own checkout, so that uncommitted changes count."""

    @cached_property
    def catalog(self) -> Catalog:
        """The pieces and questions of this version."""
        return load_catalog(self.root)

    @cached_property
    def commit(self) -> str:
        """The full hash of the commit that it is rendered from."""
        hint = "a template is rendered from a commit: clone it, or commit what is there"
        try:
            top = Path(git("rev-parse", "--show-toplevel", cwd=self.root)).resolve()
            commit = git("rev-parse", "--verify", "HEAD^{commit}", cwd=self.root)
        except CommandError as error:
            raise OmniError(f"{self.root} is no git checkout with a commit ({gist(error.output)})", hint) from error
        if top != self.root.resolve():  # the folder of another repository has versions of something else
            raise OmniError(f"{self.root} is no git checkout of its own, but a part of {top}", hint)
        return commit

    @cached_property
    def version(self) -> str:
        """The nearest tag, or the short hash where there is none; what Copier records as `_commit`."""
        return git("describe", "--tags", "--always", self.commit, cwd=self.root)

    def tags(self) -> list[str]:
        """All versions, the newest first; tags that are no version are left out."""
        from packaging.version import InvalidVersion, Version

        versions: list[tuple[Version, str]] = []
        for tag in git("tag", "--list", cwd=self.root).splitlines():
            try:
                versions.append((Version(tag), tag))
            except InvalidVersion:
                continue
        return [tag for _, tag in sorted(versions, reverse=True)]

    def changes(self) -> list[str]:
        """List the changed files that are not committed: any tracked one, and new ones among those it renders."""
        if not self.working_tree:
            return []
        # `uv run` itself may rewrite the lock file behind another package index; no project is rendered from it.
        tracked = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":(exclude)uv.lock", cwd=self.root)
        new = git("status", "--porcelain", "--untracked-files=all", "--", *RENDERED_FROM, cwd=self.root)
        return list(dict.fromkeys(line[2:].strip() for line in (*tracked.splitlines(), *new.splitlines())))

    def require_clean(self) -> None:
        """Refuse uncommitted changes: a project that has them in no commit can never be updated."""
        if self.commit and (changed := self.changes()):
            shown = ", ".join(changed[:SHOWN]) + (f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else "")
            raise OmniError(
                f"the template has uncommitted changes ({shown}); a project rendered from them could never be updated",
                f"commit or stash them in {self.root}, or name a commit with --vcs-ref",
            )


@contextmanager
def open_template(source: str | None = None, ref: str | None = None) -> Iterator[Template]:
    """Find the template and make one version of it readable.

    `source` is a path or URL (`--template`); without it OMNISTACK_TEMPLATE, else the checkout that this package lies
    in. `ref` is a tag, branch or commit; without it a path gives its working tree, a URL its newest version. A version
    that is not checked out lies in a temporary clone that ends with the block.
    """
    where = locate(source)
    local = Path(where)
    if local.is_dir() and ref in {None, "HEAD"}:
        _require_template(local, where)
        yield Template(source=where, root=local)
        return
    with tempfile.TemporaryDirectory(prefix="omnistack-template-", ignore_cleanup_errors=True) as folder:
        clone = Path(folder) / "template"
        with working(f"Fetching the template {where}"):
            _clone(where, clone)
            template = Template(source=where, root=clone, working_tree=False)
            _checkout(template, ref or next(iter(_releases(template)), "HEAD"))
        _require_template(clone, where)
        yield template


def locate(source: str | None = None) -> str:
    """Name the template: an absolute path where it is one on disk, else the URL as given."""
    given = source or os.environ.get(ENV_VAR)
    if given is None:
        if (_CHECKOUT / QUESTIONS_FILE).is_file():
            return str(_CHECKOUT)
        raise OmniError(
            "the template is not beside this program", f"give its path or URL with --template or {ENV_VAR}=…"
        )
    path = Path(given).expanduser()
    if path.is_dir():
        return str(path.resolve())
    if given.startswith(REMOTE_PREFIXES) or given.endswith(".git"):
        return given
    if "://" in given:
        # Copier takes any other URL for a web page.
        return given if given.startswith(("https://github.com/", "https://gitlab.com/")) else f"git+{given}"
    raise OmniError(f"there is no template at {given}", "give a folder that holds copier.yml, or a git URL")


def _releases(template: Template) -> list[str]:
    from packaging.version import Version

    return [tag for tag in template.tags() if not Version(tag).is_prerelease]


def _clone(source: str, folder: Path) -> None:
    from copier._vcs import get_repo  # what Copier makes of a source (gh:, git+https:) is told nowhere else

    url = get_repo(source)
    if url is None:
        raise OmniError(f"the template at {source} is no git repository, so it has no versions", "clone it with git")
    hint = "check the address, your access and the network"
    shared = ["--shared"] if Path(url).is_dir() else []
    run(["git", "clone", "--quiet", "--no-checkout", *shared, "--", url, folder], env=QUIET_GIT, hint=hint)


def _checkout(template: Template, ref: str) -> None:
    known = ", ".join(template.tags()[:5]) or "none"
    for name in (f"{ref}^{{commit}}", f"origin/{ref}^{{commit}}"):
        try:
            commit = git("rev-parse", "--verify", "--quiet", name, cwd=template.root)
        except CommandError:
            continue
        git("checkout", "--quiet", "--detach", commit, cwd=template.root)
        return
    raise OmniError(f"the template has no version {ref!r}", f"its newest tags are: {known}")


def _require_template(root: Path, where: str) -> None:
    for needed in (QUESTIONS_FILE, CATALOG_DIR):
        if not (root / needed).exists():
            raise OmniError(f"{where} is no OmniStack template: it has no {needed}", "give another with --template")
