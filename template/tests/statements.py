"""A record of the statements that the database executes."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, event

from app.core.db.database import Database


@contextmanager
def statements_of(database: Database) -> Iterator[list[str]]:
    """The statements that are sent to the database during the block."""
    seen: list[str] = []
    engine = database.engine.sync_engine

    def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
