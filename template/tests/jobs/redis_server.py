"""A Redis of the tests' own."""

import asyncio
import shutil
import socket
from pathlib import Path

from redis.asyncio import Redis


class RedisServer:
    """A redis-server that keeps nothing: when it comes back, it is empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port: int = probe.getsockname()[1]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        """As REDIS_URL has it."""
        return f"redis://127.0.0.1:{self._port}/0"

    async def start(self) -> None:
        """Starts it, and returns when it answers."""
        program = shutil.which("redis-server")
        assert program is not None
        options = ("--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder))
        self._process = await asyncio.create_subprocess_exec(program, *options, stdout=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(10), Redis.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                except ConnectionError:
                    await asyncio.sleep(0.01)
                except Exception as error:
                    if type(error).__name__ != "ConnectionError":
                        raise
                    await asyncio.sleep(0.01)
                else:
                    return

    async def stop(self) -> None:
        """Kills it."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None
