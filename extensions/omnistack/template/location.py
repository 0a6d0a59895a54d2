"""The location of the template: a folder, a URL, or the source of this program's installation."""

import json
import os
import re
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

from omnistack.shell.errors import OmniError
from omnistack.shell.git import git, git_succeeds
from omnistack.shell.options import TEMPLATE_VARIABLE
from omnistack.shell.process import CommandError
from omnistack.template.catalog import QUESTIONS_FILE

CHECKOUT = Path(__file__).resolve().parents[3]
"""The checkout that contains this package. In an installed package, a folder that is no checkout."""
REMOTE_PREFIXES = ("git+", "git@", "gh:", "gl:")
COPIER_HOSTS = ("https://github.com/", "https://gitlab.com/")
SCP_ADDRESS = re.compile(r"[\w.-]+@[\w.-]+:")
CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")


@dataclass(frozen=True)
class Location:
    """The place of a template."""

    source: str
    """An absolute path, or a URL as Copier reads it."""
    ref: str | None = None
    """The version to use. `None` for the one that is checked out, or the newest one."""


def is_remote(source: str) -> bool:
    """Return whether a recorded source is a URL."""
    return "://" in source or source.startswith(REMOTE_PREFIXES) or bool(SCP_ADDRESS.match(source))


def locate(given: str | None = None) -> Location:
    """Find the template: `given`, OMNISTACK_TEMPLATE, the checkout, or what the package was installed from.

    Raises:
        OmniError: it is in none of these.
    """
    given = given or os.environ.get(TEMPLATE_VARIABLE)
    if given is not None:
        return Location(_normalised(given))
    if (CHECKOUT / QUESTIONS_FILE).is_file():
        return Location(str(CHECKOUT))
    installed = installed_from()
    if installed is None:
        raise OmniError(
            "this program was not installed from a git repository, so it does not know where its template is",
            f"name the template with --template PATH_OR_URL or {TEMPLATE_VARIABLE}",
        )
    return installed


def installed_from(name: str = "omnistack") -> Location | None:
    """Return the repository that a package was installed from, as pip and uv record it (PEP 610)."""
    try:
        text = distribution(name).read_text("direct_url.json")
    except PackageNotFoundError:
        return None
    return parse_direct_url(text) if text else None


def parse_direct_url(text: str) -> Location | None:
    """Read a `direct_url.json`: a git repository at a commit, or a folder that holds a template."""
    document = json.loads(text)
    url, version = str(document.get("url", "")), document.get("vcs_info", {})
    if version.get("vcs") == "git":
        return Location(_normalised(CREDENTIALS.sub("", url)), version.get("commit_id"))
    folder = Path(unquote(urlsplit(url).path))
    if url.startswith("file://") and (folder / QUESTIONS_FILE).is_file():
        return Location(str(folder))
    return None


def published_url(root: Path, commit: str) -> str | None:
    """Return the URL of a remote of a checkout that has a commit, as of the last fetch or push; none without one.

    A project records it, so that colleagues and other machines find the template. Credentials in it are left out.
    """
    remotes = git(root, "remote").split()
    for remote in sorted(remotes, key=lambda name: name != "origin"):
        if not git_succeeds(root, "config", "--get", f"remote.{remote}.url"):
            continue
        url = git(root, "config", "--get", f"remote.{remote}.url")
        if is_remote(url) and git(root, "for-each-ref", "--count=1", "--contains", commit, f"refs/remotes/{remote}/"):
            return _url(CREDENTIALS.sub("", url) if url.startswith("http") else url)
    return None


def clone_url(source: str) -> str | None:
    """Return what git clones for a source as Copier reads it (`gh:`, `git+https:`); none for a folder without git."""
    from omnistack.template.copier_api import get_repo

    try:
        return get_repo(source)
    except (CommandError, OSError, ValueError):
        return None


def _normalised(given: str) -> str:
    path = Path(given).expanduser()
    if path.is_dir():
        return str(path.resolve())
    if is_remote(given) or given.endswith(".git"):
        return _url(given)
    raise OmniError(f"there is no template at {given}", "name a folder that holds copier.yml, or a git URL")


def _url(given: str) -> str:
    """Write a URL so that Copier takes it for a git repository, not for a web page."""
    if "://" not in given or given.startswith((*REMOTE_PREFIXES, *COPIER_HOSTS)):
        return given
    return f"git+{given}"
