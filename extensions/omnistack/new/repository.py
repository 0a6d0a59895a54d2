"""The git repository of a new project."""

import os
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError, git

# What the user ignores everywhere must not be missing here, and nobody's hook has a say in a commit of rendered files.
OWN_RULES_ONLY = ("-c", f"core.excludesFile={os.devnull}", "-c", f"core.hooksPath={os.devnull}")


def init(project: Path) -> None:
    """Make the project a repository of its own, wherever it lies."""
    git("init", "--quiet", "--initial-branch=main", ".", cwd=project)
    try:
        git(*OWN_RULES_ONLY, "check-ignore", "--quiet", ".env", cwd=project)
    except CommandError as error:
        raise OmniError(
            "the rendered .gitignore does not ignore .env, which holds secrets", "report it as a bug of the template"
        ) from error


def commit(project: Path, message: str, *, name: str, email: str) -> str:
    """Commit all that is not ignored and return the short hash.

    `name` and `email` sign this one commit where git knows no identity of the user's.
    """
    git(*OWN_RULES_ONLY, "add", "--all", cwd=project)
    # No signature: a key's passphrase cannot be asked for here.
    arguments = ["commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", message]
    git(*OWN_RULES_ONLY, *_identity(project, name, email), *arguments, cwd=project)
    return git("rev-parse", "--short", "HEAD", cwd=project)


def _identity(project: Path, name: str, email: str) -> list[str]:
    settings: list[str] = []
    known = {"user.name": name, "user.email": email or "nobody@localhost"}
    for key, value in known.items():
        field = key.removeprefix("user.").upper()
        if all(os.environ.get(f"GIT_{role}_{field}") for role in ("AUTHOR", "COMMITTER")):
            continue
        try:
            git("config", "--get", key, cwd=project)
        except CommandError:
            settings += ["-c", f"{key}={value}"]
    return settings
