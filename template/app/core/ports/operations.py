"""The operations that telemetry reports, without bodies, query strings, arguments and parameters of SQL statements."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from app.core.ports.telemetry import TelemetryListener


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
class TransactionWait(Operation):
    """A wait of a transaction for its turn. The last connection of the pool is kept for reading."""

    kind: ClassVar[str] = "transaction_wait"


@dataclass(kw_only=True, slots=True)
class PoolCheckout(Operation):
    """A database connection that is out of the pool, from checkout until it is returned.

    If the pool provides none, it starts and fails at once.

    Attributes:
        in_use: connections that are checked out, this one included, when it starts.
        waited: seconds until the pool provided the connection, or failed.
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
