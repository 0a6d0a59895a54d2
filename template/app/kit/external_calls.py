"""Observers of calls to other systems. Process-wide, like the clients that make the calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class CallReport:
    """The outcome of a call.

    Attributes:
        error: why it failed; `None` if it succeeded.
        circuit: the state of the system's circuit after the call; `None` without a circuit breaker.
        is_refused: whether no call was made, because the circuit is open or every slot is in use.
    """

    error: BaseException | None = None
    circuit: str | None = None
    is_refused: bool = False


type CallFinished = Callable[[CallReport], None]
type CallObserver = Callable[[str], CallFinished]
"""Called with the system's name when a call starts. Returns a callback for its end."""

_observers: list[CallObserver] = []
_systems: set[str] = set()


def announce_system(name: str) -> None:
    """Announce that this process can call a system, so that metrics know it before the first call."""
    _systems.add(name)


def known_systems() -> frozenset[str]:
    """Return the names of the systems that this process can call."""
    return frozenset(_systems)


@contextmanager
def observe_calls(observer: CallObserver) -> Iterator[None]:
    """Report every call of this process to the observer until the end of the block."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


@contextmanager
def reported_call(system: str) -> Iterator[CallReport]:
    """Report the block as a call to another system. The block may complete the report."""
    report = CallReport()
    if not _observers:
        yield report
        return
    finished = [observer(system) for observer in _observers]
    try:
        yield report
    except BaseException as error:
        report.error = error
        raise
    finally:
        for call in reversed(finished):
            call(report)
