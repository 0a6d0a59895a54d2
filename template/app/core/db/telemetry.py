"""Report SQL statements and pool checkouts to telemetry, through the engine's events."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, ExecutionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from app.core.ports.operations import DatabaseQuery, PoolCheckout
from app.core.ports.telemetry import Telemetry

_KEY: Final = "telemetry"


@contextmanager
def observe_engine(engine: Engine, telemetry: Telemetry) -> Iterator[None]:
    """Report the engine's statements and checkouts until the block ends.

    The events are attached only while something listens: without, a statement costs nothing.
    """
    observer = _EngineObserver(telemetry)
    with ExitStack() as stack:
        for name in ("before_cursor_execute", "after_cursor_execute", "handle_error", "checkin"):
            stack.enter_context(_attached(engine, name, getattr(observer, name)))
        stack.enter_context(_checkouts_reported(engine, telemetry))
        yield


@contextmanager
def _checkouts_reported(engine: Engine, telemetry: Telemetry) -> Iterator[None]:
    """Report connections that leave the pool, with the wait for them: no event marks the beginning of that wait."""
    pool = engine.pool
    connect = pool.connect

    def checkout(began: float) -> PoolCheckout:
        in_use = pool.checkedout() if isinstance(pool, QueuePool) else 1
        return telemetry.start(PoolCheckout(in_use=in_use, waited=time.perf_counter() - began))

    def connect_and_report() -> PoolProxiedConnection:
        began = time.perf_counter()
        try:
            connection = connect()
        except BaseException as error:
            telemetry.finish(checkout(began), error)
            raise
        connection.info[_KEY] = checkout(began)
        return connection

    pool.connect = connect_and_report  # type: ignore[method-assign]  # restored below
    try:
        yield
    finally:
        del pool.connect


@contextmanager
def _attached(engine: Engine, name: str, function: Callable[..., None]) -> Iterator[None]:
    event.listen(engine, name, function)
    try:
        yield
    finally:
        event.remove(engine, name, function)


class _EngineObserver:
    """The event handlers; their names and parameters are SQLAlchemy's."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def before_cursor_execute(
        self,
        _connection: object,
        _cursor: object,
        statement: str,
        _parameters: object,
        context: ExecutionContext | None,
        _many: bool,  # noqa: FBT001 - SQLAlchemy's signature
    ) -> None:
        if context is not None:
            _dict_of(context)[_KEY] = self._telemetry.start(DatabaseQuery(statement=statement))

    def after_cursor_execute(
        self,
        _connection: object,
        _cursor: object,
        _statement: str,
        _parameters: object,
        context: ExecutionContext | None,
        _many: bool,  # noqa: FBT001 - SQLAlchemy's signature
    ) -> None:
        self._finish(context, None)

    def handle_error(self, context: ExceptionContext) -> None:
        self._finish(context.execution_context, context.original_exception)

    def _finish(self, context: ExecutionContext | None, error: BaseException | None) -> None:
        operation = None if context is None else _dict_of(context).pop(_KEY, None)
        if isinstance(operation, DatabaseQuery):
            self._telemetry.finish(operation, error)

    def checkin(self, _connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        operation = record.info.pop(_KEY, None)
        if isinstance(operation, PoolCheckout):
            self._telemetry.finish(operation)


def _dict_of(context: ExecutionContext) -> dict[str, Any]:
    """Return the attributes of the statement's execution, which lives exactly as long as the statement."""
    return vars(context)
