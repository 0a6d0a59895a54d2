"""Watch the connected users' accounts: a deactivated user is disconnected within a second, by every process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import bindparam, func, select

from app.core.runtime import Runtime
from app.realtime.close_codes import ACCESS_CHANGED, DEACTIVATED, TOKEN_EXPIRED, Close
from app.realtime.connection import Connection
from app.users.caller_sources import CallerSources
from app.users.models import users

CHUNK: Final = 1000
"""Maximum number of users in one statement."""
FULL_CHECK: Final = 10
"""Every tenth check compares every account: a change that commits after a newer one does not alter the digest."""

_IDS: Final = users.c.id.in_(bindparam("ids", expanding=True))
_DIGEST: Final = select(func.count(), func.max(users.c.updated_at)).where(_IDS, users.c.is_active)
_STATES: Final = select(users.c.id, users.c.role, users.c.tokens_valid_from, users.c.updated_at).where(
    _IDS, users.c.is_active
)


@dataclass(frozen=True, slots=True)
class _State:
    """The part of an account that decides whether its connections may remain."""

    role: str
    tokens_valid_from: datetime | None
    updated_at: datetime


class AccessWatch:
    """Detects changes of the connected users' accounts.

    A check costs one statement for 1,000 users. It does not depend on messages between processes, which can be lost.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._database = runtime.database
        self._known: dict[UUID, _State] = {}
        self._digests: dict[tuple[UUID, ...], tuple[int, datetime | None]] = {}
        self._checks = 0

    async def check(self, connections: Iterable[Connection]) -> None:
        """Close the connections whose user or impersonation may not continue, or has other rights than before."""
        connections = tuple(connections)
        await self._close_ended(connections)
        by_user: dict[UUID, list[Connection]] = {}
        for connection in connections:
            for id_ in {connection.caller.id, connection.caller.actor_id}:
                by_user.setdefault(id_, []).append(connection)
        await self._check_new(by_user)
        self._checks += 1
        if self._checks % FULL_CHECK == 0:
            self._digests.clear()
        ids = sorted(by_user)
        digests = {}
        for chunk in (tuple(ids[start : start + CHUNK]) for start in range(0, len(ids), CHUNK)):
            rows = await self._database.fetch(_DIGEST, {"ids": chunk})
            digest = digests[chunk] = (int(rows[0][0]), rows[0][1])
            if self._digests.get(chunk) != digest:
                await self._compare(chunk, by_user)
        self._digests = digests
        self._known = {id_: state for id_, state in self._known.items() if id_ in by_user}

    async def _close_ended(self, connections: Iterable[Connection]) -> None:
        """Close the connections whose impersonation has ended."""
        ids = {id_ for each in connections if (id_ := each.caller.impersonation_id) is not None}
        if not ids:
            return
        ended = await self._runtime.resource(CallerSources).find_ended(self._runtime, ids)
        for connection in connections:
            if connection.caller.impersonation_id in ended:
                connection.close(TOKEN_EXPIRED)

    async def _check_new(self, by_user: Mapping[UUID, list[Connection]]) -> None:
        """Compare accounts with what they were when their users connected."""
        new = [id_ for id_, connections in by_user.items() if any(each.is_new for each in connections)]
        for start in range(0, len(new), CHUNK):
            await self._compare(new[start : start + CHUNK], by_user)

    async def _compare(self, ids: Sequence[UUID], by_user: Mapping[UUID, list[Connection]]) -> None:
        rows = await self._database.fetch(_STATES, {"ids": ids})
        states = {id_: _State(*state) for id_, *state in rows}
        for id_ in ids:
            state = states.get(id_)
            close = DEACTIVATED if state is None else self._verdict(id_, state)
            for connection in by_user[id_]:
                if close is not None:
                    connection.close(close)
                elif connection.is_new and connection.caller.id == id_:
                    connection.is_new = False
                    if state is not None and state.updated_at != connection.caller.updated_at:
                        # The account has changed since the handshake read it.
                        connection.close(ACCESS_CHANGED)

    def _verdict(self, id_: UUID, state: _State) -> Close | None:
        known = self._known.get(id_, state)
        self._known[id_] = state
        if state.tokens_valid_from != known.tokens_valid_from:
            return TOKEN_EXPIRED
        return None if state.role == known.role else ACCESS_CHANGED
