"""DATABASE_URL in the forms in which platforms give it, turned into what the drivers take."""

from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.config.secrets import is_example

FORMS: Final = "postgresql://user:password@host:5432/name or sqlite:///./local.db"
POSTGRESQL: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
SQLITE: Final = frozenset({"sqlite", "sqlite+aiosqlite"})
ASYNCPG_PARAMETERS: Final = frozenset({"host", "port", "ssl", "passfile", "target_session_attrs"})
RENAMED: Final = {"sslmode": "ssl"}
"""libpq's names for what asyncpg calls otherwise."""
DROPPED: Final = frozenset({"channel_binding", "gssencmode", "pgbouncer", "connection_limit", "connect_timeout"})
"""What others' drivers read, and what works without being told."""


def normal_url(value: str) -> str:
    """The same database with the driver that this application uses.

    Raises:
        ValueError: it is no address of a database; the message does not contain it.
    """
    try:
        url = make_url(value.strip())
    except (ArgumentError, ValueError):
        raise ValueError(f"is not an address; it has to look like {FORMS}") from None
    if url.drivername in POSTGRESQL:
        return _written(_postgresql(url))
    if url.drivername in SQLITE:
        return _written(_sqlite(url))
    raise ValueError(f"has to look like {FORMS}")


def has_example_password(url: str) -> bool:
    """Return whether the password is a known example or the same as the user name."""
    parsed = make_url(url)
    password = str(parsed.password or "")
    return bool(password) and (is_example(password) or password == parsed.username)


def _postgresql(url: URL) -> URL:
    if not url.database:
        raise ValueError(f"names no database; it has to look like {FORMS}")
    query = {RENAMED.get(name, name): value for name, value in url.query.items() if name not in DROPPED}
    unknown = sorted(query.keys() - ASYNCPG_PARAMETERS)
    if unknown:
        raise ValueError(f"has query parameters that the driver does not know: {', '.join(unknown)}; leave them out")
    return url.set(drivername="postgresql+asyncpg", query=query)


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise ValueError("has to name a file, like sqlite:///./local.db: each connection would have its own memory")
    return url.set(drivername="sqlite+aiosqlite")


def _written(url: URL) -> str:
    return url.render_as_string(hide_password=False)
