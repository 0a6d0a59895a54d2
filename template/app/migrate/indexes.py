"""Indexes that an interrupted CREATE INDEX CONCURRENTLY has left: PostgreSQL maintains them and never uses them."""

import asyncio
from collections.abc import Collection

from sqlalchemy import Connection, text

from app.core.db.engine import command_engine


def invalid_indexes(connection: Connection) -> list[str]:
    """Return the names of the invalid indexes that no session is building."""
    statement = text(
        "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
        "WHERE NOT i.indisvalid AND c.relkind = 'i' AND c.relnamespace = 'public'::regnamespace "
        "AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) "
        "ORDER BY c.relname"
    )
    return list(connection.scalars(statement))


def drop_indexes(url: str, names: Collection[str]) -> None:
    """Drop indexes without blocking those who use the table."""

    async def drop() -> None:
        engine = command_engine(url).execution_options(isolation_level="AUTOCOMMIT")
        try:
            async with engine.connect() as connection:
                quote = connection.dialect.identifier_preparer.quote
                for name in names:
                    await connection.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {quote(name)}"))
        finally:
            await engine.dispose()

    asyncio.run(drop())
