"""A circuit breaker: while a system is down, calls to it fail at once."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

from app.kit.external_calls import announce_system, reported_call
from app.kit.resilience.circuit_store import (
    Admission,
    CircuitPolicy,
    CircuitState,
    CircuitStore,
    MemoryCircuits,
    Outcome,
    shared_circuits,
)
from app.kit.resilience.errors import CircuitOpenError, ErrorFilter, UnavailableError, matcher

logger = structlog.stdlib.get_logger(__name__)


class CircuitBreaker:
    """A circuit breaker of one system. Keep one instance per system for the lifetime of the process.

    After `threshold` consecutive transient failures the circuit opens: for the duration of `recovery`, every call fails
    at once. Then it is half-open: one call at a time probes the system, and its outcome closes or reopens the circuit.
    If the processes share a store (`share_circuits`), they share the circuit.

    Args:
        name: the system's name, for logs, errors and telemetry, and for the other processes.
        transient: the errors that count as failures of the system. `TimeoutError` always counts. All others, such as a
            404, show that the system works.
        threshold: the number of consecutive failures that opens the circuit.
        recovery: the time that the circuit stays open.
        probe_timeout: the time after which another call may replace a probe without an outcome, whose process may be
            dead. It must be longer than a call takes.
    """

    def __init__(
        self,
        name: str,
        *,
        transient: ErrorFilter,
        threshold: int = 5,
        recovery: timedelta = timedelta(seconds=30),
        probe_timeout: timedelta = timedelta(minutes=1),
    ) -> None:
        self.name = name
        self._transient = matcher(transient)
        self._policy = CircuitPolicy(name=name, threshold=threshold, recovery=recovery, probe_timeout=probe_timeout)
        self._own = MemoryCircuits()
        announce_system(name)

    @asynccontextmanager
    async def guard(self) -> AsyncIterator[None]:
        """Count the block's outcome for the circuit. Also a decorator of async functions: `@shop.guard()`.

        A cancelled block counts neither as a success nor as a failure.

        Raises:
            CircuitOpenError: the circuit is open.
        """
        with reported_call(self.name) as report:
            store = shared_circuits() or self._own
            call_id = secrets.token_hex(8)
            try:
                admission = await self._admit(store, call_id)
            except CircuitOpenError:
                report.circuit, report.is_refused = CircuitState.OPEN, True
                raise
            try:
                yield
            except BaseException as error:
                report.circuit = await self._record(store, call_id, admission, self._outcome(error))
                raise
            report.circuit = await self._record(store, call_id, admission, Outcome.SUCCESS)

    def is_failure(self, error: Exception) -> bool:
        """Return whether the error counts as a failure of the system."""
        if isinstance(error, UnavailableError):
            return False
        return isinstance(error, TimeoutError) or self._transient(error)

    async def _admit(self, store: CircuitStore, call_id: str) -> Admission:
        try:
            admission = await store.admit(self._policy, call_id)
        except BaseException:
            # The call was cancelled, and may already have become the probe.
            await store.record(self._policy, call_id, Outcome.ABANDONED)
            raise
        if admission.state is CircuitState.OPEN:
            raise CircuitOpenError(self.name, retry_after=admission.retry_after)
        return admission

    async def _record(self, store: CircuitStore, call_id: str, admission: Admission, outcome: Outcome) -> CircuitState:
        """Record the outcome, and return the state of the circuit after it."""
        nothing_to_record = outcome is Outcome.ABANDONED or (outcome is Outcome.SUCCESS and not admission.failures)
        if admission.state is CircuitState.CLOSED and nothing_to_record:
            return admission.state
        state = await store.record(self._policy, call_id, outcome)
        if state is not None:
            logger.warning("circuit_changed", system=self.name, state=state.value)
        return admission.state if state is None else state

    def _outcome(self, error: BaseException) -> Outcome:
        # A refused call to another system says nothing about this one.
        if not isinstance(error, Exception) or isinstance(error, UnavailableError):
            return Outcome.ABANDONED
        return Outcome.FAILURE if self.is_failure(error) else Outcome.SUCCESS
