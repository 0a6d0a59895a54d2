"""The port for telemetry: the operations that listeners such as metrics, error reporting and tracing receive.

Each operation is reported twice, when it starts and when it finishes, as the same typed object. There may be several
listeners; without one, a call site costs one attribute check. Reported values carry no bodies, query strings, arguments
or parameters of SQL statements.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol

import structlog

logger = structlog.stdlib.get_logger(__name__)

NOTABLE_WAIT: Final = 0.001
"""Seconds from which a wait for a database connection is an operation of its own."""


@dataclass(kw_only=True, slots=True)
class Operation:
    """Base of every operation.

    Attributes:
        started_at: from `time.perf_counter()`.
        duration: seconds; set when the operation finishes.
        error: why it failed; set when it finishes. Its message may quote personal data: report the type, or redact it.
    """

    kind: ClassVar[str]

    started_at: float = field(default_factory=time.perf_counter)
    duration: float = 0.0
    error: BaseException | None = None
    listeners: "tuple[TelemetryListener, ...]" = field(default=(), repr=False)


@dataclass(kw_only=True, slots=True)
class HttpRequest(Operation):
    """An HTTP request, until the last byte of its response.

    Attributes:
        traceparent: the W3C trace context header that the client sent, unchecked.
        route: the route's template, such as `/api/v1/app/projects/{id}`, set when the request finishes. `None` if no
            route matched.
        status: the response's status, set when the request finishes; 499 if the client disconnected before.
        user_id: the id of the authenticated user, set when the request finishes.
    """

    kind: ClassVar[str] = "request"

    method: str
    request_id: str
    traceparent: str | None
    route: str | None = None
    status: int = 0
    user_id: str | None = None


@dataclass(kw_only=True, slots=True)
class RealtimeConnection(Operation):
    """A WebSocket, from the handshake until it closes.

    Attributes:
        route: the path's template, set when the connection closes. `None` if no route matched.
        accepted: whether the handshake was accepted.
    """

    kind: ClassVar[str] = "connection"

    request_id: str
    route: str | None = None
    accepted: bool = False
    user_id: str | None = None


@dataclass(kw_only=True, slots=True)
class DatabaseQuery(Operation):
    """An SQL statement.

    Attributes:
        statement: the SQL with placeholders instead of values.
    """

    kind: ClassVar[str] = "query"

    statement: str


@dataclass(kw_only=True, slots=True)
class PoolWait(Operation):
    """A wait for a connection of the pool, or of a transaction for its turn.

    A wait for a connection is reported when it ends, if it took at least `NOTABLE_WAIT` or failed. Shorter ones are
    only in `PoolCheckout.waited`.
    """

    kind: ClassVar[str] = "pool_wait"


@dataclass(kw_only=True, slots=True)
class PoolCheckout(Operation):
    """A database connection that is out of the pool, from checkout until it is returned.

    Attributes:
        in_use: connections that are checked out, this one included, when it starts.
        waited: seconds until the pool provided the connection.
    """

    kind: ClassVar[str] = "pool"

    in_use: int
    waited: float


@dataclass(kw_only=True, slots=True)
class CacheLookup(Operation):
    """A call of a function behind the cache (`app.core.ports.cache.cached`).

    Attributes:
        name: the cached function's name, such as `reports.count`.
        hit: whether the value was in the cache, set when the call finishes.
    """

    kind: ClassVar[str] = "cache"

    name: str
    hit: bool = False


@dataclass(kw_only=True, slots=True)
class JobAttempt(Operation):
    """One attempt at a job.

    Attributes:
        name: the job's name, such as `users.send_welcome`.
        attempt: counts from 1.
        is_last: whether the job is dead if this attempt fails.
        request_id: the id of the request that enqueued it.
        traceparent: the trace context of the operation that enqueued it.
    """

    kind: ClassVar[str] = "job"

    name: str
    job_id: str
    attempt: int
    is_last: bool
    request_id: str | None
    traceparent: str | None = None


@dataclass(kw_only=True, slots=True)
class InboxAttempt(Operation):
    """One attempt at processing an inbound webhook event.

    Attributes:
        provider: the name of the system that sent it.
        handler: the handler's name.
        attempt: counts from 1.
        traceparent: the trace context of the request that received the event.
    """

    kind: ClassVar[str] = "inbox"

    provider: str
    handler: str
    attempt: int
    traceparent: str | None = None


@dataclass(kw_only=True, slots=True)
class ExternalCall(Operation):
    """One attempt at a call to another system, or one stream (`app.kit.external_calls.reported_call`).

    Reported to the listeners of every runtime of the process: clients of other systems belong to the process.

    Attributes:
        system: the name of the other system.
        circuit: the state of its circuit after the call: `closed`, `half_open` or `open`; set when the call finishes.
            `None` if no circuit breaker protects the call.
        is_refused: whether no call was made, because the circuit is open or every slot is in use; set when the call
            finishes.
    """

    kind: ClassVar[str] = "external_call"

    system: str
    circuit: str | None = None
    is_refused: bool = False


@dataclass(kw_only=True, slots=True)
class EmailDelivery(Operation):
    """The delivery of an email to the provider, for one or more recipients.

    Attributes:
        provider: the provider's name, set when the delivery finishes.
        sent: the number of recipients for whom the provider accepted the email, set when the delivery finishes.
        failed: the number of the others.
    """

    kind: ClassVar[str] = "email"

    provider: str = "unknown"
    sent: int = 0
    failed: int = 0


@dataclass(kw_only=True, slots=True)
class WebhookReceipt(Operation):
    """The storing of an inbound webhook event with a valid signature.

    Attributes:
        provider: the name of the system that sent it.
        is_new: whether the event had not been received before, set when the event is stored.
    """

    kind: ClassVar[str] = "webhook_receipt"

    provider: str
    is_new: bool = False


@dataclass(kw_only=True, slots=True)
class WebhookDelivery(Operation):
    """One attempt at sending an outbound webhook.

    Attributes:
        sender: the name of the module that sends it.
    """

    kind: ClassVar[str] = "webhook_delivery"

    sender: str


@dataclass(kw_only=True, slots=True)
class AICall(Operation):
    """A completion or a stream of an AI model.

    Attributes:
        input_tokens, output_tokens: set when the call finishes, if the provider reports them.
        cost: in US dollars; `None` if the model's price is unknown.
        streamed: whether the answer was streamed.
    """

    kind: ClassVar[str] = "ai_call"

    provider: str
    model: str
    streamed: bool
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


class TelemetryListener(Protocol):
    """A listener to operations. Both methods run inside the operation's task: keep them short, and never block.

    `match operation: case HttpRequest(): …` tells the kinds apart. An exception is logged once and then ignored.
    """

    def started(self, operation: Operation) -> None:
        """Handle the start of an operation."""

    def finished(self, operation: Operation) -> None:
        """Handle the end of an operation whose start this listener handled, in the same context."""


type Source = Callable[["Telemetry"], AbstractContextManager[None]]
"""Connects something that reports operations only while there is a listener, until the block ends."""


class Telemetry:
    """The dispatcher of operations to all listeners. `runtime.listen(listener)` adds one. By default there are none.

    A call site looks like this:

        operation = telemetry.start(DatabaseQuery(statement=sql)) if telemetry.listeners else None
        …
        if operation is not None:
            telemetry.finish(operation, error)

    Args:
        sources: connected when the first listener is added, disconnected when the last one is removed.
    """

    def __init__(self, *sources: Source) -> None:
        self.listeners: tuple[TelemetryListener, ...] = ()
        self.expected: list[Operation] = []
        """Examples of the operations that this process can report: see `expect`."""
        self._sources = sources
        self._connected = ExitStack()
        self._failing: set[tuple[str, str]] = set()

    @contextmanager
    def listening(self, listener: TelemetryListener) -> Iterator[None]:
        """Add a listener until the block ends."""
        if not self.listeners:
            for source in self._sources:
                self._connected.enter_context(source(self))
        self.listeners = (*self.listeners, listener)
        try:
            yield
        finally:
            self.listeners = tuple(other for other in self.listeners if other is not listener)
            if not self.listeners:
                self._connected.close()

    def expect(self, *operations: Operation) -> None:
        """Announce operations that this process can report, so that metrics of them begin at 0.

        Call it in a lifespan, with an operation for each set of names, such as `WebhookDelivery(sender="contact")`.
        """
        self.expected.extend(operations)

    def start[O: Operation](self, operation: O) -> O:
        """Report that an operation starts. Never raises."""
        operation.listeners = self.listeners
        for listener in operation.listeners:
            try:
                listener.started(operation)
            except Exception as error:  # noqa: BLE001 - telemetry must not break what it observes
                self._log(listener, operation, error)
        return operation

    def finish(self, operation: Operation, error: BaseException | None = None) -> None:
        """Report that an operation has finished, in reverse order of the listeners. Never raises."""
        operation.duration = time.perf_counter() - operation.started_at
        operation.error = error
        for listener in reversed(operation.listeners):
            try:
                listener.finished(operation)
            except Exception as problem:  # noqa: BLE001 - telemetry must not break what it observes
                self._log(listener, operation, problem)

    @contextmanager
    def observe(self, operation: Operation) -> Iterator[None]:
        """Report the block as an operation. For call sites where a context manager's cost doesn't matter."""
        if not self.listeners:
            yield
            return
        self.start(operation)
        try:
            yield
        except BaseException as error:
            self.finish(operation, error)
            raise
        self.finish(operation)

    def _log(self, listener: TelemetryListener, operation: Operation, error: Exception) -> None:
        name = type(listener).__qualname__
        if (name, operation.kind) not in self._failing:
            self._failing.add((name, operation.kind))
            logger.error("telemetry_listener_failed", listener=name, kind=operation.kind, exc_info=error)
