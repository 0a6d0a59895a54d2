"""`app dev` step by step. What takes long is imported while something else is under way."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.dev import lock
from app.dev.places import DEV, LOCK, PROJECT, already_running
from app.dev.supervisor import ServerProcess, Start, listen, supervise
from app.kit.user_error import UserError

type Say = Callable[[str], object]


def run(host: str, port: int, *, reload: bool, say: Say) -> int:
    """Serves until asked to end.

    Returns:
        The exit code.

    Raises:
        UserError: something stands in the way; says what and what to do.
    """
    url = f"http://{'127.0.0.1' if host in {'0.0.0.0', '::', ''} else host}:{port}"  # noqa: S104 - only compared
    with _listening(host, port) as listener, ServerProcess(listener) as server:
        # The server's process imports the application meanwhile.
        from app.core.config.settings import core_settings
        from app.dev import local
        from app.dev.services import services
        from app.migrate import migrations

        if local.write_env():
            say("Wrote .env with a fresh SECRET_KEY.")
        settings = core_settings()
        if not settings.is_local:
            raise UserError("`app dev` changes the database as it likes: ENVIRONMENT=local only. Use `app serve`.")
        with _database(url) as database, services(say=say) as variables:
            migrations.upgrade(database, say=say)
            start = Start(
                variables={"DATABASE_URL": database, **variables},
                greeting=greeting(settings.PROJECT_NAME, url, settings.API_V1_STR),
            )
            return supervise(server, listener, start, watched=[PROJECT / "app"] if reload else [], say=say)


@contextmanager
def _database(url: str) -> Iterator[str]:
    """The database that the settings name, else the private server."""
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


def greeting(name: str, url: str, prefix: str) -> str:
    """What the terminal shows once the server answers."""
    return f"""
{name} answers on {url}

  The API, to try      {url}/docs
  Who am I             TOKEN=$(uv run app token --email me@example.com)
                       curl -H "Authorization: Bearer $TOKEN" {url}{prefix}/app/users/me
  The database         uv run app db --help
  Stop                 Ctrl-C
"""
