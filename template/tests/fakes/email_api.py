"""What fake mail providers with an HTTP API have in common."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.email.mailbox import Mail
from tests.fakes.server import FakeServer, Received, Reply

API_KEY: Final = "key_7f9c2ba4e88f827d"
CUT: Final = Reply(headers={"Content-Length": "10"}, body=b"", pace=(threading.Event(), 0))
"""An answer that breaks off: it promises more than it says."""


class FakeEmailApi(ABC):
    """Takes mail from who has the key. Subclasses know a provider's requests and answers."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.attempts = 0
        self.server = FakeServer(self.answer)
        self.reply: Reply | None = None
        """What it answers instead of what it would."""
        self._busy = 0
        self._losing = 0
        self.refused: set[str] = set()
        self.key = API_KEY

    @property
    def requests(self) -> list[Received]:
        """What it was asked."""
        return self.server.requests

    def stop(self) -> None:
        """See `FakeProvider.stop`."""
        self.server.stop()

    def be_busy(self, times: int) -> None:
        """See `FakeProvider.be_busy`."""
        self._busy = times

    def lose_answers(self, times: int) -> None:
        """See `FakeProvider.lose_answers`."""
        self._losing = times

    def refuse(self, address: str) -> None:
        """See `FakeProvider.refuse`."""
        self.refused.add(address)

    def refuse_credentials(self) -> None:
        """See `FakeProvider.refuse_credentials`."""
        self.key = "changed"

    def answer(self, request: Received) -> Reply:
        """What the server says."""
        if request.method != "POST" or request.headers.get("content-type") != "application/json":
            return Reply(status=415)
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return self.unauthorized()
        self.attempts += 1
        if self.reply is not None:
            return self.reply
        if self._busy:
            self._busy -= 1
            return self.busy()
        reply = self.take(request)
        if self._losing:
            self._losing -= 1
            return CUT
        return reply

    @abstractmethod
    def take(self, request: Received) -> Reply:
        """Takes the mails of a request, or says why not."""

    @abstractmethod
    def busy(self) -> Reply:
        """What it says when it has too much to do."""

    @abstractmethod
    def unauthorized(self) -> Reply:
        """What it says to who has not the key."""


def as_json(status: int, document: object) -> Reply:
    """An answer in JSON."""
    return Reply(status=status, body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})


@contextmanager
def running[F: FakeEmailApi](fake: F) -> Iterator[F]:
    """The provider is up for the block."""
    fake.server.start()
    try:
        yield fake
    finally:
        fake.server.stop()
