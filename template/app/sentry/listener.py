"""Report unexpected errors, and a sample of transactions, to Sentry."""

import asyncio
import random

from app.core.errors import AppError
from app.core.ports.telemetry import HttpRequest, InboxAttempt, JobAttempt, Operation, PoolCheckout, RealtimeConnection
from app.kit.user_error import UserError
from app.sentry.client import Reporter
from app.sentry.trail import Trail, current_trail

EXPECTED: tuple[type[BaseException], ...] = (
    AppError,
    UserError,
    asyncio.CancelledError,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
)
"""Answers to clients, and ends of processes: no faults of the application."""
Subject = HttpRequest | JobAttempt | InboxAttempt | RealtimeConnection


class SentryListener:
    """A listener to operations. See `TelemetryListener`."""

    def __init__(self, reporter: Reporter, *, sample_rate: float) -> None:
        self._reporter = reporter
        self._sample_rate = sample_rate

    def started(self, operation: Operation) -> None:
        """Begin to follow a request, a job or a webhook event."""
        if isinstance(operation, Subject):
            sampled = not isinstance(operation, RealtimeConnection) and random.random() < self._sample_rate  # noqa: S311
            trail = Trail(sampled=sampled)
            trail.token = current_trail.set(trail)

    def finished(self, operation: Operation) -> None:
        """Note a step, or report the request, the job or the webhook event that it was part of."""
        trail = current_trail.get()
        if trail is None:
            return
        if not isinstance(operation, Subject):
            if not isinstance(operation, PoolCheckout):
                trail.steps.append(operation)
            return
        if trail.token is not None:
            current_trail.reset(trail.token)
        if operation.error is not None and _is_fault(operation, operation.error):
            self._reporter.report(operation.error, operation, trail)
        if trail.sampled and not _is_health_check(operation):
            self._reporter.report_transaction(operation, trail)


def _is_fault(operation: Operation, error: BaseException) -> bool:
    if isinstance(operation, JobAttempt):
        # An attempt that is repeated is not reported: most errors of jobs are outages of other systems.
        return operation.is_last and not isinstance(error, asyncio.CancelledError)
    return not isinstance(error, EXPECTED)


def _is_health_check(operation: Operation) -> bool:
    return isinstance(operation, HttpRequest) and (operation.route is None or "/public/health" in operation.route)
