"""The port for telemetry: listeners such as metrics, error reporting and tracing receive the application's operations.

Each operation is reported twice, when it starts and when it finishes, as the same typed object. There may be several
listeners; without one, a call site costs one attribute check.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Protocol

import structlog

from app.core.ports.operations import Operation

logger = structlog.stdlib.get_logger(__name__)


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
