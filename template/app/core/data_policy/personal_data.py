"""Personal data: export or erase what every module stores about a user."""

from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from pydantic import SecretStr
from pydantic_core import to_json
from sqlalchemy import delete, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.models import utc_now
from app.core.manifest import Module, PersonalData, modules_of
from app.core.runtime import Runtime

BATCH: Final = 500
"""Rows that an export holds in memory at once."""


async def export_user(runtime: Runtime, user_id: UUID) -> AsyncIterator[bytes]:
    """Stream all of a user's rows in every module, soft-deleted rows included, as one JSON document.

    The shape is `{"user_id", "exported_at", "tables": {"users": [{…}, …], …}}`. Holds no connection between two chunks.
    """
    yield _json({"user_id": user_id, "exported_at": utc_now()})[:-1] + b',"tables":{'
    for number, part in enumerate(part for module in modules_of(runtime) for part in module.personal_data):
        yield (b"," if number else b"") + _json(str(inspect(part.model).local_table)) + b":["
        separator = b""
        async for rows in _batches(runtime, part, user_id):
            yield separator + b",".join(map(_json, rows))
            separator = b","
        yield b"]"
    yield b"}}\n"


async def erase_rows(runtime: Runtime, session: AsyncSession, module: Module, user_id: UUID) -> None:
    """Erase what one module stores about a user, its last table first."""
    for part in reversed(module.personal_data):
        if part.erase is not None:
            await part.erase(runtime, session, user_id)
        else:
            await session.execute(delete(part.model).where(part.belongs(user_id)))


async def _batches(runtime: Runtime, part: PersonalData, user_id: UUID) -> AsyncIterator[list[dict[str, object]]]:
    mapper = inspect(part.model)
    (key,) = mapper.primary_key
    shown = [column for column in mapper.columns if column.key not in part.withheld]
    # The key is selected too, as the last column: the next batch starts after it.
    statement = select(*shown, key).where(part.belongs(user_id)).order_by(key).limit(BATCH)
    after = statement
    while True:
        async with runtime.database.reading() as session:
            rows = (await session.execute(after)).all()
        if rows:
            yield [{column.key: _shown(value) for column, value in zip(shown, row, strict=False)} for row in rows]
            after = statement.where(key > rows[-1][-1])
        if len(rows) < BATCH:
            return


def _json(value: object) -> bytes:
    return to_json(value, bytes_mode="base64", fallback=str)


def _shown(value: object) -> object:
    # An encrypted column has secrets, which JSON shows as asterisks. They are the user's own data.
    return value.get_secret_value() if isinstance(value, SecretStr) else value
