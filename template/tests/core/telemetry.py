"""A telemetry listener for tests."""

from app.core.ports.operations import Operation
from app.core.ports.telemetry import TelemetryListener


class Recorder(TelemetryListener):
    """A listener that records finished and unfinished operations."""

    def __init__(self) -> None:
        self.open: list[Operation] = []
        self.operations: list[Operation] = []

    def started(self, operation: Operation) -> None:
        """See `TelemetryListener.started`."""
        self.open.append(operation)

    def finished(self, operation: Operation) -> None:
        """See `TelemetryListener.finished`."""
        self.open.remove(operation)
        self.operations.append(operation)

    def of[O: Operation](self, kind: type[O]) -> list[O]:
        """Return the finished operations of one kind."""
        return [operation for operation in self.operations if isinstance(operation, kind)]
