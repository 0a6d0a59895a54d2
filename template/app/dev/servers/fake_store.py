"""The parts that the fakes of all app stores share: their server, their process, and requests that move their clock."""

import json
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Final, Protocol, Self

import httpx
from pydantic import BaseModel

from app.dev.servers.fake_http import JSON, Delivery, Reply, document, http_server
from app.dev.servers.fake_process import announcing

SEND_TIMEOUT: Final = 15
STATE: Final = "subscriptions.json"


class StoreState(Protocol):
    """The subscriptions of a fake."""

    @property
    def now(self) -> datetime:
        """The time of the fake."""
        ...

    def advance(self, duration: timedelta) -> None:
        """Let time pass."""
        ...


@dataclass(kw_only=True)
class FakeStore[State: StoreState, Notification](ABC):
    """The state of a fake store.

    Attributes:
        url: where it is served.
        state: the subscriptions, with the notifications about them.
        keep: called after each change of the subscriptions.
    """

    url: str
    state: State
    keep: Callable[[State], None] = lambda _state: None
    delivery: Delivery = Delivery.NORMAL
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _sent: int = 0

    @property
    @abstractmethod
    def settings(self) -> dict[str, str]:
        """The settings of an application that uses this store."""

    @property
    @abstractmethod
    def notifications(self) -> Sequence[Notification]:
        """All notifications, the oldest first."""

    @abstractmethod
    def notify(self, notification: Notification, mode: Delivery) -> None:
        """Deliver a notification. The lock is not held: the receiver asks this store for keys and subscriptions."""

    def begin(self, state: State) -> None:
        """Continue with these subscriptions, whose notifications were sent."""
        with self._lock:
            self.state = state
            self._sent = len(self.notifications)

    @contextmanager
    def changing(self) -> Iterator[State]:
        """Change the subscriptions, and then deliver the notifications."""
        with self._lock:
            yield self.state
            self.keep(self.state)
        self.deliver()

    def set_delivery(self, mode: Delivery) -> None:
        """Change the delivery of notifications. Delayed ones are sent if the new mode delays none."""
        with self._lock:
            reverse = self.delivery is Delivery.REORDER
            self.delivery = mode
        self.deliver(reverse=reverse)

    def deliver(self, *, reverse: bool = False) -> None:
        """Send the notifications that have not been sent, as the mode says."""
        with self._lock:
            if self.delivery in {Delivery.HOLD, Delivery.REORDER}:
                return
            waiting = self.notifications[self._sent :]
            self._sent = len(self.notifications)
            mode = self.delivery
        for notification in reversed(waiting) if reverse else waiting:
            self.notify(notification, mode)


type Subscriptions[Store] = Callable[[Store, str, list[str], dict[str, object]], dict[str, object]]
"""Answers a request below `/_fake/subscriptions`: store, method, path, body."""


class FakeStoreServer[Store: FakeStore[Any, Any]](ABC):
    """Serve a fake store on the loopback interface, in a thread of its own, until the end of the `with` block.

    Args:
        port: 0 for any free one.
        webhook: the URL that notifications are sent to.
    """

    store: Store

    def __init__(self, port: int = 0, *, webhook: str | None = None) -> None:
        self._server = http_server(port, self.answer)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.webhook = webhook
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @abstractmethod
    def answer(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer a request."""

    def post(self, body: bytes, headers: Mapping[str, str]) -> bool:
        """Send a notification to the webhook, and return whether it was accepted."""
        if self.webhook is None:
            return False
        try:
            response = httpx.post(self.webhook, content=body, headers=headers, timeout=SEND_TIMEOUT, trust_env=False)
        except httpx.HTTPError:
            return False
        return response.is_success

    def control(
        self, method: str, path: list[str], headers: dict[str, str], body: bytes, subscriptions: Subscriptions[Store]
    ) -> Reply:
        """Answer a request below `/_fake`.

        Args:
            subscriptions: answers the requests about subscriptions.
        """
        # No page of another origin can send this content type without the server's consent.
        if method == "POST" and headers.get("content-type") != JSON:
            return Reply(415, document({"error": f"send {JSON}"}))
        try:
            answer = self._controlled(method, path, json.loads(body or b"{}"), subscriptions)
        except (LookupError, TypeError, ValueError) as error:
            return Reply(400, document({"error": str(error)}))
        return Reply(200, document(answer))

    def _controlled(
        self, method: str, path: list[str], body: dict[str, object], subscriptions: Subscriptions[Store]
    ) -> dict[str, object]:
        match (method, *path):
            case ("GET", "settings"):
                return {**self.store.settings}
            case (_, "subscriptions", *rest):
                return subscriptions(self.store, method, rest, body)
            case ("POST", "clock"):
                with self.store.changing() as state:
                    state.advance(timedelta(seconds=float(str(body["seconds"]))))
                return {"now": state.now.isoformat()}
            case ("POST", "delivery"):
                self.store.set_delivery(Delivery(str(body["mode"])))
                return {}
            case _:
                raise LookupError(f"{method} /_fake/{'/'.join(path)}")


def serve(server: FakeStoreServer[Any], folder: Path, state: type[BaseModel]) -> None:
    """Serve until this process is asked to end, and keep the subscriptions in the folder.

    Args:
        state: the type of the subscriptions.
    """
    file, stop = folder / STATE, Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    with server:
        if file.exists():
            server.store.begin(state.model_validate_json(file.read_bytes()))
        server.store.keep = lambda kept: _write(file, kept)
        with announcing(folder, server.store.settings):
            stop.wait()


def _write(file: Path, state: BaseModel) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_text(state.model_dump_json(), encoding="utf-8")
    fresh.replace(file)
