"""Observers of calls to other systems. Process-wide, like the clients that make the calls."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

type CallFinished = Callable[[BaseException | None], None]
type CallObserver = Callable[[str], CallFinished]
"""Called with the system's name when a call starts. Returns a callback for its end, with the error or `None`."""

_observers: list[CallObserver] = []


@contextmanager
def observe_calls(observer: CallObserver) -> Iterator[None]:
    """Report every call of this process to the observer until the end of the block."""
    _observers.append(observer)
    try:
        yield
    finally:
        _observers.remove(observer)


@contextmanager
def reported_call(system: str) -> Iterator[None]:
    """Report the block as a call to another system."""
    if not _observers:
        yield
        return
    finished = [observer(system) for observer in _observers]
    outcome: BaseException | None = None
    try:
        yield
    except BaseException as error:
        outcome = error
        raise
    finally:
        for call in reversed(finished):
            call(outcome)
