"""The Redis of the tests: the one that is named, else a private server, else one within this process.

TEST_REDIS_URL names one: the tests remove only their own keys from it. Otherwise
`redis-server` is started, when it is on the PATH. Else fakeredis stands in, behind the very connections that redis-py
makes to a Unix socket, so that whatever connects by URL meets it.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

import pytest
from fakeredis import FakeServer
from fakeredis.aioredis import FakeAsyncRedisConnection

from app.dev.servers.redis_server import installed, private_server
from app.redis import connection

GIVEN: Final = os.environ.get("TEST_REDIS_URL") or None
"""Read before the tests' settings take the variable away."""
FAKE_PATH: Final = "/fakeredis"
FAKE_LINE: Final = "Redis: no redis-server on the PATH, so fakeredis in this process; tests of the server are left out."


class RedisServer(Protocol):
    """A server that a test may take away and bring back."""

    @property
    def url(self) -> str:
        """The server's URL, as in REDIS_URL."""
        ...

    def start(self) -> None:
        """Accept connections from now on."""
        ...

    def stop(self) -> None:
        """Close all connections, and refuse new ones."""
        ...


class PrivateServer:
    """A process of `redis-server`."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self._options = options
        self._running = ExitStack()
        self.url = ""

    def start(self) -> None:
        """See `RedisServer.start`."""
        self.url = self._running.enter_context(private_server(self._folder, *self._options))

    def stop(self) -> None:
        """See `RedisServer.stop`."""
        self._running.close()


class FakeredisServer:
    """Within this process; `fake_sockets` must be open."""

    def __init__(self, name: str) -> None:
        self.url = f"unix://{FAKE_PATH}/{name}"

    def start(self) -> None:
        """See `RedisServer.start`."""
        _fake(self.url.removeprefix("unix://")).connected = True

    def stop(self) -> None:
        """See `RedisServer.stop`."""
        _fake(self.url.removeprefix("unix://")).connected = False


@contextmanager
def private_or_fake(folder: Path) -> Iterator[RedisServer]:
    """A started server of the test's own."""
    with ExitStack() as stack:
        if installed() is None:
            stack.enter_context(fake_sockets())
        server = FakeredisServer(folder.name) if installed() is None else PrivateServer(folder)
        server.start()
        stack.callback(server.stop)
        yield server


@contextmanager
def fake_sockets() -> Iterator[None]:
    """Connect redis-py's Unix sockets to fakeredis, one server per path."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("redis.asyncio.connection", "redis.asyncio.client"):
            patch.setattr(f"{module}.UnixDomainSocketConnection", FakeSocketConnection, raising=False)
        patch.setitem(connection._CLASSES, "unix", FakeSocketConnection)  # noqa: SLF001 - the application's own class
        yield


class FakeSocketConnection(FakeAsyncRedisConnection):
    """A connection to a Unix socket, as far as redis-py can tell."""

    def __init__(self, *, path: str, **options: Any) -> None:  # noqa: ANN401 - redis-py's
        super().__init__(server=_fake(path), **options)


_servers: dict[str, FakeServer] = {}


def _fake(path: str) -> FakeServer:
    return _servers.setdefault(path, FakeServer())
