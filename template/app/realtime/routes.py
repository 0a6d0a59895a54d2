"""Routes of realtime connections. docs/realtime.md describes the protocol."""

from contextlib import suppress
from datetime import UTC, datetime

from fastapi import APIRouter, WebSocket, status

from app.auth.bearer import accept
from app.core.errors import UnauthorizedError
from app.core.http.dependencies import RuntimeDep
from app.core.http.server.state import drain_of
from app.core.ports.streams import StreamsUnavailableError
from app.core.runtime import Runtime
from app.realtime import limits
from app.realtime.connection import Connection, room_of
from app.realtime.dependencies import HubDep, TokenDep
from app.realtime.errors import TooManyConnectionsError
from app.realtime.handshake import check_origin, expiry_of
from app.realtime.hub import Hub
from app.realtime.monitor import LEASE
from app.realtime.schemas import ConnectionRead, RealtimeStatus, Ticket
from app.realtime.session import Session
from app.realtime.tickets import LIFETIME, Tickets
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/ws")


@router.websocket("")
async def connect(websocket: WebSocket, user: CurrentUser, token: TokenDep, runtime: RuntimeDep, hub: HubDep) -> None:
    """Open a realtime connection."""
    check_origin(websocket, runtime.settings)
    connection = Connection(websocket, user, None if token is None else expiry_of(token.credentials))
    await _admit(hub, connection, runtime)
    hub.drain = drain_of(websocket)
    try:
        await accept(websocket)
        await Session(runtime, hub, websocket, connection).run()
    finally:
        connection.release()
        await hub.remove(connection)
        await connection.end()
        with suppress(StreamsUnavailableError):
            await runtime.streams.leave(connection.room, [connection.id])


@router.get("/status")
async def get_status(user: CurrentUser, runtime: RuntimeDep, hub: HubDep) -> RealtimeStatus:
    """Get the current user's open connections."""
    here = [connection for connection in hub.connections if connection.caller.id == user.id]
    count = len(here)
    with suppress(StreamsUnavailableError):
        count = len(await runtime.streams.members(room_of(user.id)))
    return RealtimeStatus(
        connections=count,
        here=[
            ConnectionRead(
                id=connection.id,
                connected_at=datetime.fromtimestamp(connection.connected_at, UTC),
                channels=[subscription.channel.name for subscription in hub.subscriptions_of(connection)],
            )
            for connection in here
        ],
    )


@router.post("/ticket", status_code=status.HTTP_201_CREATED)
async def create_ticket(runtime: RuntimeDep, token: TokenDep) -> Ticket:
    """Create a ticket for one connection, valid for 30 seconds and once.

    For clients that can only set the URL: a bearer token in a URL could end up in the log of a proxy.
    """
    if token is None:
        raise UnauthorizedError
    ticket = runtime.resource(Tickets).issue(token.credentials)
    return Ticket(ticket=ticket, expires_in=int(LIFETIME.total_seconds()))


async def _admit(hub: Hub, connection: Connection, runtime: Runtime) -> None:
    """Add a connection unless the user has too many, in this process or in all of them.

    Raises:
        TooManyConnectionsError: the user has too many connections.
    """
    own = sum(other.caller.id == connection.caller.id for other in hub.connections)
    if own >= limits.MAX_CONNECTIONS:
        raise TooManyConnectionsError
    hub.add(connection)
    with suppress(StreamsUnavailableError):
        # Enter before counting: simultaneous connections may all be refused, but never exceed the limit.
        await runtime.streams.enter({connection.room: [connection.id]}, LEASE)
        if len(await runtime.streams.members(connection.room)) > limits.MAX_CONNECTIONS:
            await hub.remove(connection)
            await runtime.streams.leave(connection.room, [connection.id])
            raise TooManyConnectionsError
