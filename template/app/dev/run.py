"""The steps of `app dev`. Slow modules are imported while the server process starts."""

import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.dev import lock
from app.dev.paths import DEV, LOCK, PROJECT, already_running
from app.dev.supervisor import ServerProcess, Start, listen, supervise
from app.kit.user_error import UserError

if TYPE_CHECKING:
    from app.core.config.settings import Settings

WINDOWS = """`app dev` runs on Linux, macOS and WSL. On Windows itself, set DATABASE_URL in .env and run:
  uv run app db upgrade
  uv run uvicorn app.main:create_app --factory --reload"""

type Say = Callable[[str], object]


def run(host: str, port: int, *, reload: bool, say: Say) -> int:
    """Serve until this process is asked to end.

    Returns:
        The exit code.

    Raises:
        UserError: the server cannot start; the message says why and what to do.
    """
    if sys.platform == "win32":
        raise UserError(WINDOWS)
    url = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::', ''} else host}:{port}"  # noqa: S104 - only compared
    with _listening(host, port) as listener, ServerProcess(listener) as server:
        # Meanwhile the server's process imports the application.
        from app.core.config.settings import core_settings
        from app.dev import local
        from app.dev.services import services
        from app.migrate import migrations

        if local.write_env():
            say("Wrote .env with a fresh SECRET_KEY.")
        settings = core_settings()
        if not settings.is_local:
            raise UserError(
                "`app dev` migrates the database without asking, so it needs ENVIRONMENT=local. Or use `app serve`."
            )
        with _database(url) as database, services(say=say, url=url) as variables:
            migrations.upgrade(database, say=say)
            start = Start(
                variables={"DATABASE_URL": database, **public_url(settings, url), **variables},
                greeting=greeting(settings.PROJECT_NAME, url, settings.API_V1_STR),
            )
            return supervise(server, listener, start, watched=_watched() if reload else [], say=say)


def _watched() -> list[Path]:
    """Return the paths whose changes restart the server: the code and the settings."""
    return [path for path in (PROJECT / "app", PROJECT / ".env") if path.exists()]


@contextmanager
def _database(url: str) -> Iterator[str]:
    """Yield the URL of the database that the settings name, else of the private server."""
    from app.dev import local
    from app.migrate.database_settings import database_settings

    configured = database_settings().DATABASE_URL
    if configured:
        yield configured
        return
    with local.private_database_url(DEV, url=url) as private:
        yield private


def _listening(host: str, port: int) -> socket.socket:
    try:
        return listen(host, port)
    except UserError:
        holder = lock.holder(LOCK)
        if holder is not None and holder.command == DEV:
            raise already_running(holder) from None
        raise


def public_url(settings: "Settings", url: str) -> dict[str, str]:
    """Return the variable PUBLIC_URL with this server's URL; none if the settings contain it or it is the default."""
    return {} if "PUBLIC_URL" in settings.model_fields_set or url == settings.PUBLIC_URL else {"PUBLIC_URL": url}


def greeting(name: str, url: str, prefix: str) -> str:
    """Return the text that the terminal shows once the server answers."""
    return f"""
{name} runs on {url}

  API documentation    {url}/docs
  Sign in              TOKEN=$(uv run app token --email me@example.com)
                       curl -H "Authorization: Bearer $TOKEN" {url}{prefix}/app/users/me
  Database             uv run app db --help
  Stop                 Ctrl-C
"""
