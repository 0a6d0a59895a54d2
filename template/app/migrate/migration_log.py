"""The tables of `app db migrate-production` in the database: what ran, and the schema that the running release uses.

They are no models: they exist before the first revision, like Alembic's own table.
"""

import json
from typing import Final, cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection, text

from app.kit.user_error import UserError
from app.migrate.release_schema import ReleaseSchema

LOG: Final = "migration_log"
RELEASES: Final = "migration_releases"
TABLES: Final = frozenset({LOG, RELEASES})
CREATE: Final = f"""
CREATE TABLE IF NOT EXISTS {LOG} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    revision text NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    detail text
);
CREATE TABLE IF NOT EXISTS {RELEASES} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    models jsonb NOT NULL
)
"""
ENTRIES: Final = f"""
SELECT to_char(started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC  ' || rpad(state, 12) || revision
    || coalesce('  ' || round(extract(epoch FROM finished_at - started_at), 1) || ' s', '')
    || coalesce('  ' || detail, '')
FROM {LOG} ORDER BY id DESC LIMIT :limit
"""  # noqa: S608 - a constant


def create_tables(connection: Connection) -> None:
    """Create the tables that don't exist, and mark entries of runs that were killed as interrupted."""
    for statement in CREATE.split(";"):
        connection.execute(text(statement))
    connection.execute(
        text(f"UPDATE {LOG} SET state = 'interrupted', finished_at = clock_timestamp() WHERE state = 'started'")  # noqa: S608 - a constant
    )


def start(connection: Connection, revision: str) -> int:
    """Record that a revision starts. Return the entry's id."""
    statement = text(f"INSERT INTO {LOG} (revision, state) VALUES (:revision, 'started') RETURNING id")  # noqa: S608 - a constant
    return cast("int", connection.scalar(statement, {"revision": revision}))


def finish(connection: Connection, entry: int, state: str, detail: str | None = None) -> None:
    """Record the end of a revision: `applied` or `failed`."""
    statement = text(
        f"UPDATE {LOG} SET state = :state, finished_at = clock_timestamp(), detail = :detail WHERE id = :id"  # noqa: S608 - a constant
    )
    connection.execute(statement, {"state": state, "detail": detail, "id": entry})


def entries(connection: Connection, limit: int) -> list[str]:
    """Return the newest entries as lines, the newest first."""
    if not _exists(connection, LOG):
        return []
    return list(connection.scalars(text(ENTRIES), {"limit": limit}))


def running_release(connection: Connection) -> ReleaseSchema | None:
    """Return the schema that the running release uses, or `None` if no release has recorded it.

    Raises:
        UserError: the newest record is not a schema.
    """
    if not _exists(connection, RELEASES):
        return None
    statement = text(f"SELECT models::text FROM {RELEASES} ORDER BY id DESC LIMIT 1")  # noqa: S608 - a constant
    found = connection.scalar(statement)
    if found is None:
        return None
    try:
        return TypeAdapter[ReleaseSchema](ReleaseSchema).validate_json(found)
    except ValidationError:
        raise UserError(
            f"The newest record in the table {RELEASES} is damaged, so the pending revisions cannot be compared with "
            "the running release. Nothing was changed. Restore the row, or empty the table to go without this check."
        ) from None


def record_release(connection: Connection, models: ReleaseSchema) -> None:
    """Record the schema that this release uses. From now on it counts as the running one."""
    if running_release(connection) != models:
        statement = text(f"INSERT INTO {RELEASES} (models) VALUES (CAST(:models AS jsonb))")  # noqa: S608 - a constant
        connection.execute(statement, {"models": json.dumps(models)})


def _exists(connection: Connection, table: str) -> bool:
    return bool(connection.scalar(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": f"public.{table}"}))
