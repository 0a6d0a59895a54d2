"""Queries on PostgreSQL's catalogs: the tables of the schema `public`, without those of extensions."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

VERSION_TABLE: Final = "alembic_version"
ADVISORY_LOCK: Final = 7_245_913_388_102_077
"""The key of the lock that one restore at a time holds."""

_TABLES: Final = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
    "AND NOT c.relispartition AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') "
    "ORDER BY c.relname"
)
_EXTENSIONS: Final = text(
    "SELECT extname FROM pg_extension WHERE extnamespace = 'public'::regnamespace ORDER BY extname"
)


async def server_version(connection: AsyncConnection) -> tuple[int, str]:
    """Return the server's major version, and its full version."""
    number = (await connection.execute(text("SHOW server_version_num"))).scalar_one()
    version = (await connection.execute(text("SHOW server_version"))).scalar_one()
    return int(number) // 10_000, str(version).split(" ", maxsplit=1)[0]


async def table_names(connection: AsyncConnection) -> list[str]:
    """Return the names of the tables."""
    return list((await connection.execute(_TABLES)).scalars())


async def extensions(connection: AsyncConnection) -> tuple[str, ...]:
    """Return the names of the extensions that are installed into the schema."""
    return tuple((await connection.execute(_EXTENSIONS)).scalars())


async def row_counts(connection: AsyncConnection) -> dict[str, int]:
    """Return the number of rows of each table. Reads every table."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    counts = {}
    for name in await table_names(connection):
        found = await connection.execute(text(f"SELECT count(*) FROM public.{quote(name)}"))  # noqa: S608 - quoted
        counts[name] = int(found.scalar_one())
    return counts


async def filled_tables(connection: AsyncConnection) -> list[str]:
    """Return the names of the tables that have rows, without the record of the migrations."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    filled = []
    for name in await table_names(connection):
        found = await connection.execute(text(f"SELECT EXISTS (SELECT FROM public.{quote(name)})"))  # noqa: S608 - quoted
        if name != VERSION_TABLE and found.scalar_one():
            filled.append(name)
    return filled


async def current_revisions(connection: AsyncConnection) -> tuple[str, ...]:
    """Return the newest applied revision of each branch."""
    if VERSION_TABLE not in await table_names(connection):
        return ()
    found = await connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE} ORDER BY version_num"))  # noqa: S608
    return tuple(found.scalars())
