"""A proxy in front of a server on a Unix socket, which can take the server away."""

import asyncio
from contextlib import suppress
from pathlib import Path


class Proxy:
    """Passes connections on. While it is `away`, it accepts none and those that exist hang, as on a lost network."""

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self._target = target
        self._present = asyncio.Event()
        self._present.set()
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Accept connections."""
        # mypy knows that Windows has none.
        start = asyncio.start_unix_server  # type: ignore[attr-defined, unused-ignore]
        self._server = await start(self._accept, self.path)

    async def stop(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in self._connections:
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections)

    async def away(self, seconds: float) -> None:
        """Take the server away: half of the time its connections hang, then they are cut and refused."""
        self._present.clear()
        await asyncio.sleep(seconds / 2)
        assert self._server is not None
        self._server.close()
        self.path.unlink(missing_ok=True)
        self.cut()
        await asyncio.sleep(seconds / 2)
        self._present.set()
        await self.start()

    def cut(self) -> None:
        """Cut every connection."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(OSError):
            connect = asyncio.open_unix_connection  # type: ignore[attr-defined, unused-ignore]
            their_reader, their_writer = await connect(self._target)
            pair = {writer, their_writer}
            self._writers |= pair
            ways = [
                asyncio.create_task(self._pass_on(reader, their_writer)),
                asyncio.create_task(self._pass_on(their_reader, writer)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._writers -= pair
                for way in ways:
                    way.cancel()
                their_writer.transport.abort()
        writer.transport.abort()
        self._connections.discard(task)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(64 * 1024):
                await self._present.wait()
                writer.write(data)
                await writer.drain()
