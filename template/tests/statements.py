"""A record of the statements that the database executes."""

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, event

import app
from app.core.db.database import Database

APP = str(Path(app.__file__).parent)


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


@contextmanager
def no_repeated_queries(database: Database, *, allowed: int = 2) -> Iterator[None]:
    """Fail if a query is sent more than `allowed` times during the block: once for each row, instead of once for all.

    Raises:
        AssertionError: names the query, and the line of the application that sent it last.
    """
    places: dict[str, str] = {}
    counts: Counter[str] = Counter()
    engine = database.engine.sync_engine

    def note(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH")):
            counts[statement] += 1
            places[statement] = _place()

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)
    repeated = [(statement, count) for statement, count in counts.items() if count > allowed]
    assert not repeated, "\n".join(
        f"{count} times from {places[statement]}: {' '.join(statement.split())[:500]}" for statement, count in repeated
    )


def _place() -> str:
    """Return the line of the application that is nearest to the driver."""
    for frame in reversed(traceback.extract_stack()):
        if frame.filename.startswith(APP) and "/core/db/" not in frame.filename:
            return f"{frame.filename}:{frame.lineno}"
    return "the test"
