"""The files of a developer's machine: `.env`, and the private PostgreSQL in `.local/`."""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from app.dev import lock
from app.dev.paths import DATA, DEV, LOCK, PROJECT, already_running
from app.dev.servers.postgres import private_postgres, running_server
from app.kit.environment import in_environment
from app.kit.user_error import UserError
from app.migrate.database_settings import database_settings

LOCK_TIMEOUT = 60.0
HINT = "# Make one with: openssl rand -hex 32"
"""The line above every secret in `.env.example` that the application generates itself."""


def write_env() -> bool:
    """Write `.env` from `.env.example` with fresh secrets, unless the file exists or this isn't a developer's machine.

    Returns:
        Whether the file was written.
    """
    target, example = PROJECT / ".env", PROJECT / ".env.example"
    if target.exists() or not example.exists() or not database_settings().is_local or "SECRET_KEY" in os.environ:
        return False
    text = example.read_text(encoding="utf-8")
    fresh = re.sub(rf"(?<={re.escape(HINT)}\n)([A-Z0-9_]+)=$", _with_secret, text, flags=re.MULTILINE)
    # Created with these permissions, so that no other user can read it at any moment.
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(fresh)
    return True


def _with_secret(match: re.Match[str]) -> str:
    return f"{match[1]}={secrets.token_hex(32)}"


@contextmanager
def private_database(command: str, *, url: str = "") -> Iterator[str]:
    """Yield the DATABASE_URL of the private server: that of `app dev`, or one that runs until the end of the block.

    Args:
        command: the command that needs the server. `app dev` shares its server with other commands, but
            only one `app dev` can run.
        url: the application's URL, shown by an `app dev` that is started later.

    Raises:
        UserError: the server cannot run; the message says why and what to do.
    """
    for _turn in lock.poll(LOCK_TIMEOUT):
        try:
            with lock.hold(LOCK, command=command, url=url), private_postgres(DATA) as server:
                yield server.url()
                return
        except lock.LockedError as locked:
            holder = locked.holder
        if holder is not None and holder.command == DEV:
            if command == DEV:
                raise already_running(holder)
            if (running := running_server(DATA)) is not None:
                yield running.url()
                return
    raise UserError(
        f"The private PostgreSQL in {DATA.parent} is in use by another `app` command. Try again when that has ended, "
        "or start `app dev` first: other commands share its server."
    )


@contextmanager
def private_database_url(command: str, *, url: str = "") -> Iterator[str]:
    """Run the private server, or use the one that is running, and set DATABASE_URL until the end of the block.

    Args:
        command: see `private_database`.
        url: see `private_database`.

    Raises:
        UserError: see `private_database`.
    """
    with private_database(command, url=url) as private, in_environment("DATABASE_URL", private):
        yield private
