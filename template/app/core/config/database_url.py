"""DATABASE_URL in the forms that platforms print, and its translation for the driver."""

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from app.core.config.secrets import is_example

FORMS: Final = "postgresql://user:password@host:5432/name or sqlite:///./local.db"
POSTGRESQL: Final = frozenset({"postgres", "postgresql"})
SQLITE: Final = frozenset({"sqlite", "sqlite+aiosqlite"})
POOLER: Final = "pgbouncer"
"""The query parameter by which hosted poolers and Prisma mark a pooler in transaction mode."""
DRIVER_PARAMETERS: Final = frozenset({"host", "port", "ssl", "passfile", "target_session_attrs"})
MAX_PORT: Final = 65535
TLS_FILES: Final = ("sslrootcert", "sslcert", "sslkey")
SERVER_PARAMETERS: Final = frozenset({"application_name", "options"})
DROPPED: Final = frozenset(
    {
        "channel_binding",
        "client_encoding",
        "connect_timeout",
        "connection_limit",
        "fallback_application_name",
        "gssencmode",
        "keepalives",
        "keepalives_count",
        "keepalives_idle",
        "keepalives_interval",
        "pool_timeout",
        "sslcompression",
        "sslnegotiation",
        "sslsni",
        "supa",
        "tcp_user_timeout",
    }
)
"""Parameters of other drivers, without which the connection works as well."""
SSL_MODES: Final = {
    **{mode: mode for mode in ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")},
    # The names that Node's, Ruby's and JDBC's drivers use.
    "no-verify": "require",
    "true": "require",
    "1": "require",
    "false": "disable",
    "0": "disable",
}
_PARTS = re.compile(r"(?P<scheme>[A-Za-z0-9+]+)://(?P<authority>[^/?]*)(?P<rest>.*)", re.DOTALL)


def normal_url(value: str) -> str:
    """Return the same database's URL with the driver that this application uses.

    Raises:
        ValueError: it is not the URL of a database, or has a parameter with which the connection would fail. The
            message doesn't contain the URL.
    """
    value = value.strip()
    _explain(value)
    try:
        url = make_url(_with_hosts_as_parameters(value))
    except (ArgumentError, ValueError):
        raise ValueError(f"is not a URL; it must look like {FORMS}") from None
    if url.drivername.partition("+")[0] in POSTGRESQL:
        return _written(_postgresql(url))
    if url.drivername in SQLITE:
        return _written(_sqlite(url))
    raise ValueError(f"must look like {FORMS}")


def has_example_password(url: str) -> bool:
    """Return whether the password is a known example or the same as the user name."""
    parsed = make_url(url)
    password = str(parsed.password or "")
    return bool(password) and (is_example(password) or password == parsed.username)


def is_behind_pooler(url: str) -> bool:
    """Return whether the URL marks a pooler in transaction mode: `?pgbouncer=true`."""
    return make_url(url).query.get(POOLER) == "true"


def driver_arguments(url: str) -> tuple[URL, dict[str, object], dict[str, str]]:
    """Split a PostgreSQL URL from `normal_url` for the engine.

    Returns:
        The URL that SQLAlchemy takes, asyncpg's arguments for TLS, and the server's parameters.
    """
    parsed = make_url(url)
    query = {name: str(value) for name, value in parsed.query.items() if not isinstance(value, tuple)}
    parameters = {name: query[name] for name in SERVER_PARAMETERS & query.keys()}
    mode = query.get("ssl", "")
    if "sslrootcert" in query and mode in {"", "require"}:
        # As libpq does it.
        mode = "verify-ca"
    arguments: dict[str, object] = {}
    if mode.startswith("verify-") or query.keys() & set(TLS_FILES):
        arguments["ssl"] = _context(mode, query)
    taken = {*SERVER_PARAMETERS, *TLS_FILES, POOLER, *(["ssl"] if arguments else [])}
    return parsed.difference_update_query(taken), arguments, parameters


def _context(mode: str, query: Mapping[str, str]) -> ssl.SSLContext:
    root = query.get("sslrootcert", "system")
    context = ssl.create_default_context(cafile=None if root == "system" else root)
    context.check_hostname = mode == "verify-full"
    if not mode.startswith("verify-"):
        context.verify_mode = ssl.CERT_NONE
    if "sslcert" in query:
        context.load_cert_chain(query["sslcert"], query.get("sslkey"))
    return context


def _explain(value: str) -> None:
    """Refuse frequent mistakes, each with advice."""
    if value[:1] in {'"', "'"}:
        raise ValueError("has quotes around it; leave them out (`docker run --env-file` keeps them)")
    if value.startswith("psql "):
        raise ValueError("is a command; leave out `psql` and the quotes around the URL")
    if re.match(r"(host|dbname|user)\s*=", value):
        raise ValueError(f"is a list of libpq's parameters; it must look like {FORMS}")
    if value.startswith("jdbc:"):
        raise ValueError(f"is a JDBC URL; it must look like {FORMS}")
    parts = _PARTS.fullmatch(value)
    if parts is None or parts["scheme"].startswith("sqlite"):
        return
    # An "@" after the first slash or question mark means that the authority ended too soon.
    if parts["authority"].count("@") > 1 or ("@" in parts["rest"] and "@" not in parts["authority"]):
        raise ValueError(
            'has a user name or password with "@", "/" or "?" in it; write them as %40, %2F and %3F, as in p%40ssword'
        )


def _with_hosts_as_parameters(value: str) -> str:
    """Rewrite `host1:5432,host2:5432` as parameters, as SQLAlchemy takes them."""
    parts = _PARTS.fullmatch(value)
    if parts is None or "," not in parts["authority"].rpartition("@")[2]:
        return value
    user, at, hosts = parts["authority"].rpartition("@")
    path, _, query = parts["rest"].partition("?")
    given = [host if re.search(r":\d+$", host) else f"{host}:5432" for host in hosts.split(",")]
    return f"{parts['scheme']}://{user}{at}{path}?" + "&".join([*(f"host={host}" for host in given), query])


def _postgresql(url: URL) -> URL:
    if not url.database:
        raise ValueError(f"names no database; it must look like {FORMS}")
    if url.port is not None and not 0 < url.port <= MAX_PORT:
        raise ValueError(f"has the port {url.port}, which is not between 1 and {MAX_PORT}")
    query: dict[str, str | tuple[str, ...]] = {}
    for name, value in url.query.items():
        if name in {"sslmode", "ssl"}:
            query["ssl"] = _ssl_mode(str(value))
        elif name == "schema" and value == "public":
            continue
        elif name not in DROPPED:
            query[name] = value
    _check_parameters(query)
    return url.set(drivername="postgresql+asyncpg", query=query)


def _check_parameters(query: Mapping[str, str | tuple[str, ...]]) -> None:
    if "unix_sock" in query:
        raise ValueError("has unix_sock; name the socket's folder instead: ?host=/cloudsql/project:region:instance")
    unknown = sorted(query.keys() - DRIVER_PARAMETERS - SERVER_PARAMETERS - {*TLS_FILES, POOLER})
    if unknown:
        raise ValueError(f"has query parameters that the driver does not know: {', '.join(unknown)}; leave them out")
    for name in TLS_FILES:
        file = query.get(name)
        if file is not None and (name, file) != ("sslrootcert", "system") and not Path(str(file)).is_file():
            raise ValueError(f"names a file as {name} that does not exist here: {file}")
    if "sslkey" in query and "sslcert" not in query:
        raise ValueError("has sslkey without sslcert")
    if query.keys() & set(TLS_FILES) and query.get("ssl") in {"disable", "allow", "prefer"}:
        raise ValueError("names TLS certificates, and an sslmode that does not need them; use sslmode=verify-full")


def _ssl_mode(value: str) -> str:
    if value.lower() not in SSL_MODES:
        raise ValueError(f"has an unknown sslmode; use one of {', '.join(sorted(SSL_MODES))}")
    return SSL_MODES[value.lower()]


def _sqlite(url: URL) -> URL:
    if not url.database or url.database == ":memory:":
        raise ValueError("must name a file, like sqlite:///./local.db: each connection would have its own memory")
    return url.set(drivername="sqlite+aiosqlite")


def _written(url: URL) -> str:
    return url.render_as_string(hide_password=False)
