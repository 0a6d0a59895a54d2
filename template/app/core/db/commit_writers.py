"""Rows that are written at the very end of a transaction, so that their locks are held for a moment only."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

type Writer[T] = Callable[[AsyncSession, Sequence[T]], Awaitable[None]]

_ITEMS: Final = "written_before_commit"


class _Item(NamedTuple):
    """An item, and the savepoint inside which it was added."""

    writer: Writer[Any]
    value: object
    savepoint: SessionTransaction | None


def write_before_commit[T](session: AsyncSession, writer: Writer[T], value: T) -> None:
    """Pass `value` to `writer` right before the session's commit, in the same transaction.

    The writer receives all its values at once. A value that was added inside a savepoint is dropped if the savepoint is
    rolled back. An error of the writer rolls the transaction back.
    """
    if _ITEMS not in session.info:
        session.info[_ITEMS] = []
        event.listen(session.sync_session, "after_soft_rollback", _drop_rolled_back)
    _items(session).append(_Item(writer, value, session.sync_session.get_nested_transaction()))


async def run_writers(session: AsyncSession) -> None:
    """Run the writers. The session's own changes are sent first: no lock is waited for after those of the writers."""
    items = _items(session)
    if not items:
        return
    await session.flush()
    by_writer: dict[Writer[Any], list[object]] = {}
    for item in items:
        by_writer.setdefault(item.writer, []).append(item.value)
    items.clear()
    for writer, values in by_writer.items():
        await writer(session, values)


def move_writers(session: AsyncSession, outer: AsyncSession) -> None:
    """Leave the writing to the session of the outer transaction."""
    items = _items(session)
    for item in items:
        write_before_commit(outer, item.writer, item.value)
    items.clear()


def _items(session: AsyncSession) -> list[_Item]:
    items: list[_Item] = session.info.get(_ITEMS, [])
    return items


def _drop_rolled_back(session: Session, rolled_back: SessionTransaction) -> None:
    items: list[_Item] = session.info[_ITEMS]
    items[:] = [item for item in items if not _is_within(item.savepoint, rolled_back)]


def _is_within(savepoint: SessionTransaction | None, outer: SessionTransaction) -> bool:
    if not outer.nested:
        return True
    while savepoint is not None and savepoint is not outer:
        savepoint = savepoint.parent
    return savepoint is outer
