"""Users with an open WebSocket."""

import json
from contextlib import suppress

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from load.scenario import Scenario, Session

TIMEOUT = 10.0
CHANNEL = "everyone"


def exchange(session: Session) -> None:
    """Connect if there is no connection, and measure the way of a message there and back."""
    connection = session.state.get("connection")
    if connection is None:
        connection = session.measure("WS connect and subscribe", lambda: _connect(session))
        session.state["connection"] = connection
    try:
        session.measure("WS ping", lambda: _ping(connection))
    except BaseException:
        leave(session)
        raise


def reconnect(session: Session) -> None:
    """Close the connection, as a phone does that loses its network; the next step opens another one."""
    leave(session)


def leave(session: Session) -> None:
    """Close the connection."""
    connection: ClientConnection | None = session.state.pop("connection", None)
    if connection is not None:
        with suppress(ConnectionClosed, OSError):
            connection.close()


def _connect(session: Session) -> ClientConnection:
    url = f"{session.url.replace('http', 'ws', 1)}/app/ws"
    headers = {"Authorization": f"Bearer {session.token}"}
    connection = connect(url, additional_headers=headers, open_timeout=TIMEOUT, close_timeout=TIMEOUT, proxy=None)
    connection.send(json.dumps({"type": "subscribe", "channel": CHANNEL}))
    _receive(connection, "subscribed")
    return connection


def _ping(connection: ClientConnection) -> None:
    connection.send(json.dumps({"type": "ping"}))
    _receive(connection, "pong")


def _receive(connection: ClientConnection, kind: str) -> None:
    while True:
        message = json.loads(connection.recv(timeout=TIMEOUT))
        if message["type"] == kind:
            return
        if message["type"] == "ping":
            connection.send(json.dumps({"type": "pong"}))


scenario = Scenario(name="realtime", steps={exchange: 20, reconnect: 1}, pause=(1, 3), stop=leave)
