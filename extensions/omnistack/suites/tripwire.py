"""A poisoned environment: settings that no test may use, and a server that counts the attempts to use them."""

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

EXAMPLE, FILE = ".env.example", ".env"
SETTING = re.compile(r"^([A-Z][A-Z0-9_]*)=", re.MULTILINE)


class Tripwire:
    """A port on loopback. `connections` is how often anything connected to it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def close(self) -> None:
        """Stop listening."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextmanager
def poisoned(folder: Path, environment: Mapping[str, str]) -> Iterator[tuple[dict[str, str], Tripwire]]:
    """Poison a project's `.env` and environment until the end of the block.

    Every setting of `.env.example` gets a value that is invalid, or that leads to the tripwire.

    Args:
        folder: of the project.
        environment: of its commands; what it already names stays as it is, unless it is a setting.

    Yields:
        The poisoned environment, and the tripwire.
    """
    wire = Tripwire()
    file = folder / FILE
    before = file.read_bytes() if file.exists() else None
    names = SETTING.findall((folder / EXAMPLE).read_text(encoding="utf-8"))
    values = {name: _poison(name, wire.port) for name in names}
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()), encoding="utf-8")
    try:
        yield {**environment, **values}, wire
    finally:
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)
        wire.close()


def _poison(name: str, port: int) -> str:
    if name == "ENVIRONMENT":
        return "production"
    scheme = {"DATABASE_URL": "postgresql://poison:poison@", "REDIS_URL": "redis://"}.get(name, "http://")
    return f"{scheme}127.0.0.1:{port}/poison"
