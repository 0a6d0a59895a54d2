"""The common part of fake email providers with an HTTP API."""

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.email.fake_provider import ReceivedEmail
from tests.fakes.server import FakeServer, Received, Reply

API_KEY: Final = "key_7f9c2ba4e88f827d"
INTERRUPTED: Final = Reply(headers={"Content-Length": "10"}, body=b"", pace=(threading.Event(), 0))
"""A reply that ends early: it announces more bytes than it sends."""


class FakeEmailApi(ABC):
    """A server for authenticated clients. A subclass implements a provider's authentication, requests and replies."""

    def __init__(self) -> None:
        self.accepted: list[ReceivedEmail] = []
        self.attempts = 0
        self.server = FakeServer(self.answer)
        self.reply: Reply | None = None
        """A fixed reply to every authenticated request."""
        self.rejected: set[str] = set()
        self.revoked = False
        self._busy = 0
        self._losing = 0

    @property
    def requests(self) -> list[Received]:
        """All requests."""
        return self.server.requests

    def stop(self) -> None:
        """See `FakeProvider.stop`."""
        self.server.stop()

    def be_busy(self, times: int) -> None:
        """See `FakeProvider.be_busy`."""
        self._busy = times

    def lose_replies(self, times: int) -> None:
        """See `FakeProvider.lose_replies`."""
        self._losing = times

    def reject(self, address: str) -> None:
        """See `FakeProvider.reject`."""
        self.rejected.add(address)

    def revoke_credentials(self) -> None:
        """See `FakeProvider.revoke_credentials`."""
        self.revoked = True

    def answer(self, request: Received) -> Reply:
        """Answer a request."""
        if request.method != "POST" or request.headers.get("content-type") != "application/json":
            return Reply(status=415)
        if self.revoked or not self.authenticates(request):
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
            return INTERRUPTED
        return reply

    @abstractmethod
    def authenticates(self, request: Received) -> bool:
        """Return whether the request carries the right credentials."""

    @abstractmethod
    def take(self, request: Received) -> Reply:
        """Accept the emails of a request, or reply with the reason why not."""

    @abstractmethod
    def busy(self) -> Reply:
        """Return the reply to a request that may be retried."""

    @abstractmethod
    def unauthorized(self) -> Reply:
        """Return the reply to wrong credentials."""


def has_bearer(request: Received, key: str = API_KEY) -> bool:
    """Return whether the request authenticates with this bearer token."""
    return request.headers.get("authorization") == f"Bearer {key}"


def as_json(status: int, document: object) -> Reply:
    """Return a reply in JSON."""
    return Reply(status=status, body=json.dumps(document).encode(), headers={"Content-Type": "application/json"})


@contextmanager
def running[F: FakeEmailApi](fake: F) -> Iterator[F]:
    """Run the provider for the duration of the block."""
    fake.server.start()
    try:
        yield fake
    finally:
        fake.server.stop()
