"""Reporting operations to the listeners."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from structlog.testing import capture_logs

from app.core.ports.operations import CacheLookup, Operation
from app.core.ports.telemetry import Telemetry, TelemetryListener
from tests.core.telemetry import Recorder


class Broken(TelemetryListener):
    """A listener that always fails."""

    def started(self, operation: Operation) -> None:
        raise RuntimeError(operation.kind)

    def finished(self, operation: Operation) -> None:
        raise LookupError(operation.kind)


def lookup() -> CacheLookup:
    return CacheLookup(name="reports")


class TestListeners:
    def test_all_receive_every_operation(self) -> None:
        telemetry, first, second = Telemetry(), Recorder(), Recorder()
        with telemetry.listening(first), telemetry.listening(second), telemetry.observe(lookup()):
            assert len(first.open) == len(second.open) == 1
        assert [operation.kind for operation in first.operations] == ["cache"]
        assert first.operations == second.operations

    def test_are_removed_at_the_end_of_the_block(self) -> None:
        telemetry, first, second = Telemetry(), Recorder(), Recorder()
        with telemetry.listening(first):
            with telemetry.listening(second):
                pass
            with telemetry.observe(lookup()):
                pass
        assert not telemetry.listeners
        assert (len(first.operations), len(second.operations)) == (1, 0)

    def test_see_the_end_only_of_operations_that_they_saw_start(self) -> None:
        telemetry, early, late = Telemetry(), Recorder(), Recorder()
        with telemetry.listening(early):
            operation = telemetry.start(lookup())
            with telemetry.listening(late):
                telemetry.finish(operation)
        assert (len(early.operations), len(late.operations)) == (1, 0)

    def test_that_raise_are_logged_once_and_ignored(self) -> None:
        telemetry, other = Telemetry(), Recorder()
        with capture_logs() as logs, telemetry.listening(Broken()), telemetry.listening(other):
            for _ in range(3):
                with telemetry.observe(lookup()):
                    pass
        assert len(other.operations) == 3
        assert [(log["event"], log["listener"], log["kind"]) for log in logs] == [
            ("telemetry_listener_failed", "Broken", "cache")
        ]


class TestObserve:
    def test_reports_the_duration_and_the_error(self) -> None:
        telemetry, recorder = Telemetry(), Recorder()
        error = LookupError("no")
        with telemetry.listening(recorder), pytest.raises(LookupError), telemetry.observe(lookup()):
            raise error
        (operation,) = recorder.operations
        assert operation.error is error
        assert operation.duration > 0

    def test_does_nothing_without_listeners(self) -> None:
        operation = lookup()
        with Telemetry().observe(operation):
            pass
        assert operation.duration == 0


class TestSources:
    def test_are_connected_while_a_listener_exists(self) -> None:
        log: list[str] = []

        @contextmanager
        def source(_telemetry: Telemetry) -> Iterator[None]:
            log.append("connected")
            yield
            log.append("disconnected")

        telemetry = Telemetry(source)
        for _ in range(2):
            with telemetry.listening(Recorder()), telemetry.listening(Recorder()):
                assert log[-1] == "connected"
        assert log == ["connected", "disconnected"] * 2
