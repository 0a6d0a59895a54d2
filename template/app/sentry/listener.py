"""Report unexpected errors, and a sample of transactions, to Sentry."""

import logging
import sys
import time
from typing import Final

from structlog.typing import EventDict, WrappedLogger

from app.core.ports.operations import (
    HttpRequest,
    InboxAttempt,
    JobAttempt,
    Operation,
    PoolCheckout,
    RealtimeConnection,
)
from app.sentry.client import Reporter
from app.sentry.faults import is_expected, is_fault_of_job
from app.sentry.sampling import Sampler
from app.sentry.trail import LogLine, Trail, current_trail

RootOperation = HttpRequest | JobAttempt | InboxAttempt | RealtimeConnection
ERRORS: Final = ("error", "exception", "critical")
ACCESS_LOG: Final = "app.access"
SENDING: Final = ("sentry_sdk", "urllib3")
"""Loggers of the connection to Sentry: their errors cannot be reported over it."""


class SentryListener:
    """A listener to operations (see `TelemetryListener`) and to log lines."""

    def __init__(self, reporter: Reporter, sampler: Sampler) -> None:
        self._reporter = reporter
        self._sampler = sampler

    def started(self, operation: Operation) -> None:
        """Begin to follow a request, a connection, a job or a webhook event."""
        if isinstance(operation, RootOperation):
            sampled = not isinstance(operation, RealtimeConnection) and self._sampler.samples_transaction()
            trail = Trail(operation, sampled=sampled, parent=current_trail.get())
            trail.token = current_trail.set(trail)

    def finished(self, operation: Operation) -> None:
        """Note a step, or report the request, the job or the webhook event that it was part of."""
        trail = current_trail.get()
        if trail is None:
            return
        if operation is not trail.operation:
            if not isinstance(operation, PoolCheckout):
                trail.add(operation)
            return
        if trail.token is not None:
            current_trail.reset(trail.token)
        if trail.sampled and not _is_health_check(operation):
            self._reporter.report_transaction(trail)
        if operation.error is None:
            # Tasks that outlive the request still refer to the trail.
            trail.steps.clear()
        elif isinstance(operation, InboxAttempt):
            # The inbox logs the error of the last attempt only, after it has finished.
            self._reporter.remember(operation.error, trail)
        elif _is_fault(operation, operation.error):
            self._reporter.report(operation.error, trail)

    def logged(self, _logger: WrappedLogger, level: str, fields: EventDict) -> None:
        """Note a log line as a step, and report the exception of an error. See `LogObserver`."""
        name = str(fields.get("logger", ""))
        if name.startswith(SENDING):
            return
        trail = current_trail.get()
        if trail is not None:
            trail.follow_trace()
            if name != ACCESS_LOG:
                # Events of the application are constant names. Messages of libraries may quote data.
                text = "" if "_record" in fields else str(fields.get("event", ""))
                trail.add(LogLine(started_at=time.perf_counter(), level=level, logger=name, event=text))
        if level in ERRORS and (error := _exception_of(fields)) is not None and not is_expected(error):
            self._reporter.report(error, trail)


def _exception_of(fields: EventDict) -> BaseException | None:
    """Return the exception that a log line is about."""
    record = fields.get("_record")
    source: object = record.exc_info if isinstance(record, logging.LogRecord) else fields.get("exc_info")
    if isinstance(source, tuple):
        source = source[1]
    if isinstance(source, BaseException):
        return source
    return sys.exception() if source is True else None


def _is_fault(operation: Operation, error: BaseException) -> bool:
    if isinstance(operation, JobAttempt):
        # An attempt that is repeated is not reported: most errors of jobs are outages of other systems.
        return operation.is_last and is_fault_of_job(error)
    return not is_expected(error)


def _is_health_check(operation: Operation) -> bool:
    return isinstance(operation, HttpRequest) and (operation.route is None or "/public/health" in operation.route)
