"""The git repository of a new project."""

import os
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.git import git, git_succeeds

# Neither the user's global ignore rules nor their line endings may change what is committed.
FAITHFUL = (
    *("-c", f"core.excludesFile={os.devnull}"),
    *("-c", f"core.attributesFile={os.devnull}"),
    *("-c", "core.autocrlf=false"),
    *("-c", "core.safecrlf=false"),
)


def init(project: Path) -> None:
    """Create a repository in the project's folder, even inside another repository."""
    git(project, "init", "--quiet", "--initial-branch=main", ".")


def require_ignored_dotenv(project: Path) -> None:
    """Refuse a project whose `.env`, which holds secrets, would be committed.

    Raises:
        OmniError: the project's own ignore rules do not contain it.
    """
    if not git_succeeds(project, *FAITHFUL, "check-ignore", "--quiet", ".env"):
        raise OmniError(
            "the rendered .gitignore does not ignore .env, which holds secrets", "report it as a bug of the template"
        )


def hidden_by_outer_rules(project: Path) -> list[str]:
    """Return the rendered files and folders that ignore rules outside of the project keep out of a commit."""
    ignored = git(project, "ls-files", "--others", "--ignored", "--exclude-standard", "--directory", ".").splitlines()
    paths = [path for path in ignored if path.strip("./")]
    if not paths:
        return []
    own_rules = f"{git(project, 'rev-parse', '--show-prefix')}.gitignore:"
    # One line each: the file with the rule, the line, the rule; a tab; the path.
    matches = git(project, "check-ignore", "--verbose", "--", *paths).splitlines()
    return [match.rpartition("\t")[2] for match in matches if not match.startswith(own_rules)]


def commit(project: Path, message: str, *, name: str, email: str) -> str:
    """Commit everything that is not ignored, and return the short hash.

    `name` and `email` sign this commit only where git knows no identity of the user's.
    """
    git(project, *FAITHFUL, "add", "--all")
    arguments = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", message]
    git(project, *FAITHFUL, *_identity(project, name, email), *arguments)
    return git(project, "rev-parse", "--short", "HEAD")


def _identity(project: Path, name: str, email: str) -> list[str]:
    settings: list[str] = []
    known = {"user.name": name, "user.email": email or "unknown@localhost"}
    for key, value in known.items():
        field = key.removeprefix("user.").upper()
        if all(os.environ.get(f"GIT_{role}_{field}") for role in ("AUTHOR", "COMMITTER")):
            continue
        if not git_succeeds(project, "config", "--get", key):
            settings += ["-c", f"{key}={value}"]
    return settings
