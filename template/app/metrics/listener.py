"""The telemetry listener that records operations. Every label has a bounded set of values."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import Histogram

from app.core.ports.operations import (
    AICall,
    CacheLookup,
    DatabaseQuery,
    EmailDelivery,
    ExternalCall,
    HttpRequest,
    InboxAttempt,
    JobAttempt,
    Operation,
    PoolCheckout,
    RealtimeConnection,
    TransactionWait,
    WebhookDelivery,
    WebhookReceipt,
)
from app.core.ports.telemetry import TelemetryListener
from app.metrics.instruments import Instruments

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"})
OTHER_METHOD: Final = "_OTHER"
UNMATCHED: Final = "unmatched"
STATEMENTS: Final = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
OTHER_STATEMENT: Final = "OTHER"
SERVER_ERROR: Final = 500
OUTCOMES: Final = ("success", "error")
JOB_OUTCOMES: Final = ("success", "retry", "dead")
CALL_OUTCOMES: Final = (*OUTCOMES, "timeout", "refused")
CIRCUIT_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}


def outcome_of(operation: Operation) -> str:
    """Return the label for the outcome of an operation."""
    return "success" if operation.error is None else "error"


class MetricsListener(TelemetryListener):
    """A listener that adds each finished operation to the metrics.

    Series whose labels are known begin at 0: Prometheus does not take the first value of a series for an increase.

    Attributes:
        active_requests, connections_in_use, realtime_connections: numbers of operations that are running.
    """

    def __init__(self, instruments: Instruments) -> None:
        self._traffic = instruments.traffic
        self._work = instruments.work
        self.active_requests = 0
        self.connections_in_use = 0
        self.realtime_connections = 0
        self._series: dict[tuple[object, ...], Any] = {}
        """The series of metrics by their labels: looking them up in the library takes longer than counting."""
        self._outcomes: Mapping[Histogram, Iterable[str]] = {
            self._work.jobs: JOB_OUTCOMES,
            self._work.external_calls: CALL_OUTCOMES,
            self._traffic.realtime_durations: (*OUTCOMES, "refused"),
        }
        for statement in (*STATEMENTS, OTHER_STATEMENT):
            self._begin(self._traffic.queries, statement)
        self._begin(self._traffic.pool_waits)
        self._record: Mapping[type[Operation], Callable[[Any], None]] = {
            HttpRequest: self._request,
            RealtimeConnection: self._connection,
            DatabaseQuery: self._query,
            TransactionWait: self._wait,
            PoolCheckout: self._use,
            CacheLookup: self._lookup,
            JobAttempt: self._job,
            InboxAttempt: self._inbox,
            WebhookReceipt: self._receipt,
            ExternalCall: self._call,
            AICall: self._ai_call,
            EmailDelivery: self._email,
            WebhookDelivery: self._webhook,
        }

    def started(self, operation: Operation) -> None:
        """See `TelemetryListener.started`."""
        self._count_running(type(operation), 1)

    def finished(self, operation: Operation) -> None:
        """See `TelemetryListener.finished`."""
        kind = type(operation)
        self._count_running(kind, -1)
        record = self._record.get(kind)
        if record is not None:
            record(operation)

    def expect(self, operation: Operation) -> None:
        """Begin the series of operations like this one at 0."""
        match operation:
            case ExternalCall(system=system):
                self._begin(self._work.external_calls, system)
            case AICall(provider=provider, model=model):
                self._begin(self._work.ai_calls, provider, model)
                self._work.ai_cost.labels(provider, model)
                for kind in ("input", "output"):
                    self._work.ai_tokens.labels(provider, model, kind)
            case EmailDelivery(provider=provider):
                self._begin(self._work.email_calls, provider)
                for outcome in OUTCOMES:
                    self._work.emails.labels(provider, outcome)
            case WebhookDelivery(sender=sender):
                self._begin(self._work.webhooks, sender)
            case _:
                return

    def expect_routes(self, routes: Iterable[str]) -> None:
        """Begin the counters of failed requests at 0.

        Args:
            routes: the templates of the routes.
        """
        for route in (*routes, UNMATCHED):
            self._traffic.request_errors.labels(route)

    def expect_jobs(self, names: Iterable[str]) -> None:
        """Begin the series of jobs at 0."""
        for name in names:
            self._begin(self._work.jobs, name)

    def _begin(self, metric: Histogram, *labels: str) -> None:
        """Create the series of all outcomes."""
        for outcome in self._outcomes.get(metric, OUTCOMES):
            self._series[(metric, *labels, outcome)] = metric.labels(*labels, outcome)

    def _count_running(self, kind: type[Operation], change: int) -> None:
        if kind is PoolCheckout:
            self.connections_in_use += change
        elif kind is HttpRequest:
            self.active_requests += change
        elif kind is RealtimeConnection:
            self.realtime_connections += change

    def _observe(self, metric: Histogram, operation: Operation, *labels: str) -> None:
        """Add the duration to a series whose last label is the outcome."""
        key = (metric, *labels)
        series = self._series.get(key)
        if series is None:
            self._begin(metric, *labels[:-1])
            series = self._series[key]
        series.observe(operation.duration)

    def _request(self, operation: HttpRequest) -> None:
        key = ("request", operation.method, operation.route, operation.status)
        series = self._series.get(key)
        if series is None:
            method = operation.method if operation.method in METHODS else OTHER_METHOD
            route = operation.route or UNMATCHED
            series = self._traffic.requests.labels(method, route, str(operation.status))
            if method != OTHER_METHOD:
                self._series[key] = series
        series.observe(operation.duration)
        if operation.status >= SERVER_ERROR:
            self._traffic.request_errors.labels(operation.route or UNMATCHED).inc()

    def _connection(self, operation: RealtimeConnection) -> None:
        outcome = outcome_of(operation) if operation.accepted else "refused"
        self._observe(self._traffic.realtime_durations, operation, operation.route or UNMATCHED, outcome)

    def _query(self, operation: DatabaseQuery) -> None:
        word = operation.statement[:6].upper()
        self._observe(
            self._traffic.queries, operation, word if word in STATEMENTS else OTHER_STATEMENT, outcome_of(operation)
        )

    def _wait(self, operation: TransactionWait) -> None:
        self._observe(self._traffic.pool_waits, operation, outcome_of(operation))

    def _use(self, operation: PoolCheckout) -> None:
        self._series[self._traffic.pool_waits, outcome_of(operation)].observe(operation.waited)
        if operation.error is None:
            self._traffic.pool_uses.observe(operation.duration)

    def _lookup(self, operation: CacheLookup) -> None:
        self._traffic.cache_lookups.labels(operation.name, "hit" if operation.hit else "miss").inc()

    def _job(self, operation: JobAttempt) -> None:
        outcome = "success" if operation.error is None else "dead" if operation.is_last else "retry"
        self._observe(self._work.jobs, operation, operation.name, outcome)

    def _inbox(self, operation: InboxAttempt) -> None:
        self._observe(self._work.inbox_attempts, operation, operation.provider, outcome_of(operation))

    def _receipt(self, operation: WebhookReceipt) -> None:
        if operation.error is None:
            result = "new" if operation.is_new else "duplicate"
            self._work.inbox_received.labels(operation.provider, result).inc()

    def _call(self, operation: ExternalCall) -> None:
        match operation.error:
            case None:
                outcome = "success"
            case _ if operation.is_refused:
                outcome = "refused"
            case TimeoutError():
                outcome = "timeout"
            case _:
                outcome = "error"
        self._observe(self._work.external_calls, operation, operation.system, outcome)
        if operation.circuit is not None:
            self._work.circuits.labels(operation.system).set(CIRCUIT_STATES[operation.circuit])

    def _ai_call(self, operation: AICall) -> None:
        model = (operation.provider, operation.model)
        self._observe(self._work.ai_calls, operation, *model, outcome_of(operation))
        if operation.input_tokens is not None:
            self._work.ai_tokens.labels(*model, "input").observe(operation.input_tokens)
        if operation.output_tokens is not None:
            self._work.ai_tokens.labels(*model, "output").observe(operation.output_tokens)
        if operation.cost is not None:
            self._work.ai_cost.labels(*model).inc(max(operation.cost, 0))

    def _email(self, operation: EmailDelivery) -> None:
        self._observe(self._work.email_calls, operation, operation.provider, outcome_of(operation))
        if operation.sent:
            self._work.emails.labels(operation.provider, "success").inc(operation.sent)
        if operation.failed:
            self._work.emails.labels(operation.provider, "error").inc(operation.failed)

    def _webhook(self, operation: WebhookDelivery) -> None:
        self._observe(self._work.webhooks, operation, operation.sender, outcome_of(operation))
