"""What a module keeps of users: said once in its manifest, for those who want to see it or to be rid of it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import ColumnElement, delete, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from app.core.models import utc_now

if TYPE_CHECKING:
    from app.core.module import Module
    from app.core.runtime import Runtime

BATCH: Final = 500
"""How many rows an export has in memory at once."""

type Erase = Callable[["Runtime", AsyncSession, UUID], Awaitable[None]]
"""`async (runtime, session, user_id)`: works in the session's transaction, and does nothing the second time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalData:
    """The rows of a table that are about a user. Each table with a column that leads to users needs one.

    Attributes:
        model: the table; its key is one column.
        belongs: which rows: `lambda user_id: col(Project.owner_id) == user_id`.
        withheld: columns that an export leaves out, since they protect somebody, as the hash of a token does.
        erase: what to do instead of deleting the rows, where something outside the database has to go as well, or
            somebody else still needs what is left of them.
    """

    model: type[SQLModel]
    belongs: Callable[[UUID], ColumnElement[bool]]
    withheld: frozenset[str] = frozenset()
    erase: Erase | None = None


async def export_user(runtime: "Runtime", user_id: UUID) -> AsyncIterator[bytes]:
    """All of a user's rows in every module, hidden ones included, as one JSON text in pieces.

    `{"user_id", "exported_at", "tables": {"users": [{…}, …], …}}`. No connection is held between two pieces.
    """
    yield _json({"user_id": user_id, "exported_at": utc_now()})[:-1] + b',"tables":{'
    for number, part in enumerate(part for module in runtime.modules for part in module.personal_data):
        yield (b"," if number else b"") + _json(str(inspect(part.model).local_table)) + b":["
        separator = b""
        async for rows in _batches(runtime, part, user_id):
            yield separator + b",".join(map(_json, rows))
            separator = b","
        yield b"]"
    yield b"}}\n"


async def erase_rows(runtime: "Runtime", session: AsyncSession, module: "Module", user_id: UUID) -> None:
    """Removes what one module keeps of a user, the last of its tables first."""
    for part in reversed(module.personal_data):
        if part.erase is not None:
            await part.erase(runtime, session, user_id)
        else:
            await session.execute(delete(part.model).where(part.belongs(user_id)))


async def _batches(runtime: "Runtime", part: PersonalData, user_id: UUID) -> AsyncIterator[list[dict[str, object]]]:
    mapper = inspect(part.model)
    (key,) = mapper.primary_key
    shown = [column for column in mapper.columns if column.key not in part.withheld]
    # The key comes along, last, to go on after it.
    statement = select(*shown, key).where(part.belongs(user_id)).order_by(key).limit(BATCH)
    after = statement
    while True:
        async with runtime.database.reading() as session:
            rows = (await session.execute(after)).all()
        if rows:
            yield [{column.key: value for column, value in zip(shown, row, strict=False)} for row in rows]
            after = statement.where(key > rows[-1][-1])
        if len(rows) < BATCH:
            return


def _json(value: object) -> bytes:
    return to_json(value, bytes_mode="base64", fallback=str)
