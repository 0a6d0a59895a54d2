"""A database inside a transaction that has already begun."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession

from app.core.db.availability import availability
from app.core.db.bulk_changes import ON_BULK_CHANGE
from app.core.db.commit_writers import move_writers
from app.core.db.database import READ_ONLY, Database, after_commit, take_actions


class JoinedDatabase(Database):
    """A database that is one connection: its transactions are savepoints of the transaction that the connection is in.

    Args:
        connection: has a transaction, which its caller commits or rolls back.
        outer: the session whose transaction it is, if there is one: then actions after a commit wait for its commit.
    """

    def __init__(self, connection: AsyncConnection, outer: AsyncSession | None = None) -> None:
        super().__init__(None)
        self._connection = connection
        self._outer = outer

    @property
    def engine(self) -> AsyncEngine:
        """The connection's engine."""
        return self._connection.engine

    async def fetch(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """See `Database.fetch`."""
        with availability():
            return (await self._connection.execute(statement, parameters)).all()

    async def execute(self, statement: Executable, parameters: Mapping[str, object]) -> Sequence[Row[*tuple[Any, ...]]]:
        """See `Database.execute`."""
        return await self.fetch(statement, parameters)

    def new_session(self, *, reading: bool) -> AsyncSession:
        """See `Database.new_session`."""
        return AsyncSession(
            self._connection,
            expire_on_commit=False,
            autoflush=not reading,
            join_transaction_mode="create_savepoint",
            info={READ_ONLY: True} if reading else {ON_BULK_CHANGE: self.on_bulk_change},
        )

    def require(self) -> None:
        """See `Database.require`. Does nothing: the database is always configured."""

    async def dispose(self) -> None:
        """See `Database.dispose`. Does nothing: the caller closes the connection."""

    async def _commit(self, session: AsyncSession) -> None:
        if self._outer is None:
            await super()._commit(session)
            return
        move_writers(session, self._outer)
        await session.commit()
        for action in take_actions(session):
            after_commit(self._outer, action)
