"""The state of circuits: the port, its implementation in this process, and the store that processes share."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Protocol


class CircuitState(StrEnum):
    """The state of a circuit."""

    CLOSED = "closed"
    """Calls are made."""
    HALF_OPEN = "half_open"
    """One call probes whether the system is available again."""
    OPEN = "open"
    """No call is made."""


class Outcome(StrEnum):
    """The outcome of a call, for the circuit."""

    SUCCESS = "success"
    FAILURE = "failure"
    ABANDONED = "abandoned"
    """Says nothing about the system, such as the outcome of a cancelled call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitPolicy:
    """When a circuit opens and closes.

    Attributes:
        name: the system's name. Circuits with the same name in a shared store are the same.
        threshold: the number of consecutive failures that opens the circuit.
        recovery: how long it stays open. Then one call probes the system, and its outcome closes or reopens it.
        probe_timeout: the time after which a probe without an outcome is given up, since its process may be dead.
    """

    name: str
    threshold: int
    recovery: timedelta
    probe_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to a call that asks to be made.

    Attributes:
        state: closed: make it. Half-open: make it; it is the probe. Open: don't.
        failures: the number of consecutive failures so far.
        retry_after: if the call is refused, the time after which one may be admitted.
    """

    state: CircuitState
    failures: int = 0
    retry_after: timedelta | None = None


class CircuitStore(Protocol):
    """The state of circuits."""

    async def admit(self, policy: CircuitPolicy, call_id: str) -> Admission:
        """Return whether the call may be made. `call_id` is one that no other call has."""
        ...

    async def record(self, policy: CircuitPolicy, call_id: str, outcome: Outcome) -> CircuitState | None:
        """Record the outcome of an admitted call. Calls that began before the circuit opened don't change it.

        Returns:
            The state that the circuit has changed to, or `None` if it has not changed.
        """
        ...


CLOSED = Admission(CircuitState.CLOSED)


@dataclass(slots=True)
class _Circuit:
    failures: int = 0
    open_until: float | None = None
    probe: str | None = None
    probe_until: float = 0.0


class MemoryCircuits:
    """The state of circuits in this process's memory. It keeps circuits that have failures, and forgets all others.

    Args:
        clock: in seconds. By default, one that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._circuits: dict[str, _Circuit] = {}

    async def admit(self, policy: CircuitPolicy, call_id: str) -> Admission:
        """See `CircuitStore.admit`."""
        circuit = self._circuits.get(policy.name)
        if circuit is None:
            return CLOSED
        if circuit.open_until is None:
            return Admission(CircuitState.CLOSED, circuit.failures)
        now = self._clock()
        # If the clock has gone back, nothing takes longer than it does from now on.
        circuit.open_until = min(circuit.open_until, now + policy.recovery.total_seconds())
        circuit.probe_until = min(circuit.probe_until, now + policy.probe_timeout.total_seconds())
        blocked_until = max(circuit.open_until, circuit.probe_until if circuit.probe is not None else 0.0)
        if now < blocked_until:
            return Admission(CircuitState.OPEN, circuit.failures, timedelta(seconds=blocked_until - now))
        circuit.probe = call_id
        circuit.probe_until = now + policy.probe_timeout.total_seconds()
        return Admission(CircuitState.HALF_OPEN, circuit.failures)

    async def record(self, policy: CircuitPolicy, call_id: str, outcome: Outcome) -> CircuitState | None:
        """See `CircuitStore.record`."""
        circuit = self._circuits.get(policy.name, _Circuit())
        is_probe = circuit.probe == call_id
        if circuit.open_until is not None and not is_probe:
            return None
        match outcome:
            case Outcome.ABANDONED:
                circuit.probe = None
                return None
            case Outcome.SUCCESS:
                self._circuits.pop(policy.name, None)
                return CircuitState.CLOSED if is_probe else None
            case Outcome.FAILURE:
                self._circuits[policy.name] = circuit
                circuit.failures += 1
                if not is_probe and circuit.failures < policy.threshold:
                    return None
                circuit.open_until, circuit.probe = self._clock() + policy.recovery.total_seconds(), None
                return CircuitState.OPEN


_shared: list[CircuitStore] = []


@contextmanager
def share_circuits(store: CircuitStore) -> Iterator[None]:
    """Keep the state of all circuits of this process in the store until the end of the block."""
    _shared.append(store)
    try:
        yield
    finally:
        _shared.remove(store)


def shared_circuits() -> CircuitStore | None:
    """Return the store that processes share, or `None` if there is none."""
    return _shared[-1] if _shared else None
