"""Check that the database has the revisions that the code needs."""

from typing import Final

import structlog
from sqlalchemy import Connection, MetaData, inspect, text

from app.core.db.database import Database
from app.core.db.models import metadata
from app.core.db.revision_files import pending_revisions, read_revision_files
from app.core.errors import ServiceUnavailableError

logger = structlog.stdlib.get_logger(__name__)
MAX_NAMED: Final = 20
"""Pending revisions that are named in an error; the rest is counted."""


class PendingRevisionsError(ServiceUnavailableError):
    """The database lacks revisions, or tables that this code uses. The message says which, and is public."""


async def require_migrated(database: Database) -> None:
    """Check that the database has every revision of this code. Once that is so, it isn't checked again.

    A database that is newer, as after a rollback to older code, must have the tables and columns of the models.

    Raises:
        PendingRevisionsError: names what is missing.
    """
    if database.migrated:
        return
    async with database.reading() as session:
        connection = await session.connection()
        heads = await connection.run_sync(_heads)
        files = read_revision_files()
        unknown = sorted(set(heads) - {file.id for file in files})
        if unknown:
            missing = await connection.run_sync(lacking, metadata)
            kind = "Missing in the database"
        else:
            missing = pending_revisions(files, heads)
            kind = "Pending revisions"
    if missing:
        more = f" and {len(missing) - MAX_NAMED} more" if len(missing) > MAX_NAMED else ""
        raise PendingRevisionsError(f"{kind}: {', '.join(missing[:MAX_NAMED])}{more}. Run `app db upgrade`.")
    if unknown:
        logger.warning("database_is_newer_than_code", revisions=unknown)
    database.migrated = True


def lacking(connection: Connection, models: MetaData) -> list[str]:
    """Return the tables, and `table.column` of the tables that exist, which the models have and the database lacks."""
    inspector = inspect(connection)
    existing = set(inspector.get_table_names())
    missing = []
    for table in models.sorted_tables:
        if table.name not in existing:
            missing.append(table.name)
            continue
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        missing.extend(f"{table.name}.{column.name}" for column in table.columns if column.name not in columns)
    return missing


def _heads(connection: Connection) -> list[str]:
    if not inspect(connection).has_table("alembic_version"):
        return []
    return list(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
