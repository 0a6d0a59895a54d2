"""Logging: JSON lines outside local, readable lines in local. Includes the standard library's loggers.

No line contains a query string, a body, or a person's e-mail or network address.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import StringIO
from typing import ClassVar, Literal, TextIO

import structlog
from pydantic_core import to_json
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from app.core.config.settings import Settings
from app.core.context import current_request, current_trace
from app.core.observability.redaction import redact, safe_traceback

type StandardStream = Literal["stdout", "stderr"]

type LogObserver = Callable[[WrappedLogger, str, EventDict], None]
"""A function that gets the logger, the level and the fields of every log line before it is rendered."""

LIBRARIES = ("uvicorn",)
"""Loggers that follow LOG_LEVEL. The others log from WARNING on, since some log URLs at INFO."""


def configure_logging(settings: Settings, *, stream: StandardStream = "stdout") -> None:
    """Send every log line of the process to a standard stream. Idempotent.

    Args:
        settings: the core's.
        stream: standard output for servers and workers; standard error for commands, whose output others read.
    """
    _Output.stream = stream
    level = logging.DEBUG if settings.DEBUG else logging.getLevelNamesMapping()[settings.LOG_LEVEL]
    common: list[Processor] = [structlog.contextvars.merge_contextvars, add_facts, notify_observers, escape_event]
    last: list[Processor]
    if settings.is_local:
        # rich, a dependency of development tools, would take a second per traceback and show local variables.
        terminal = (sys.stderr if stream == "stderr" else sys.stdout).isatty()
        last = [structlog.dev.ConsoleRenderer(colors=terminal, exception_formatter=_plain_traceback)]
    else:
        last = [structlog.processors.ExceptionRenderer(safe_traceback), _render_json]
    structlog.configure(
        processors=[*common, *last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=_Output,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        # Extra attributes that libraries add to a record are not logged.
        foreign_pre_chain=[*common, redact_event],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
    )
    _take_over_standard_logging(formatter, level)


@contextmanager
def log_to_stderr(settings: Settings) -> Iterator[None]:
    """Configure logging for a command, whose standard output has only its result, until the end of the block."""
    configure_logging(settings, stream="stderr")
    try:
        yield
    finally:
        _Output.stream = "stdout"


def add_facts(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Add the timestamp, level, logger, request id, user id, and the ids of the trace and span."""
    # One processor instead of the library's four: this runs for every request.
    record: logging.LogRecord | None = event.get("_record")
    event["timestamp"] = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
    event["level"] = "error" if method == "exception" else method
    event["logger"] = logger.name if record is None else record.name
    context = current_request.get()
    if context is not None:
        event["request_id"] = context.request_id
        if context.user_id is not None:
            event["user_id"] = context.user_id
        if context.impersonator_id is not None:
            event["impersonator_id"] = context.impersonator_id
    trace = current_trace.get()
    if trace is not None:
        event["trace_id"], event["span_id"] = trace.trace_id, trace.span_id
    return event


@contextmanager
def observing_log(observer: LogObserver) -> Iterator[None]:
    """Call a function for every log line of the process, in the task that logs it, until the block ends.

    It must neither block nor change the fields. Its exceptions are ignored: a log line must not fail.
    """
    _Observers.all = (*_Observers.all, observer)
    try:
        yield
    finally:
        _Observers.all = tuple(other for other in _Observers.all if other is not observer)


def notify_observers(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Call the observers."""
    for observer in _Observers.all:
        with suppress(Exception):
            observer(logger, method, event)
    return event


def escape_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape control characters, which paths and headers may contain and a terminal would interpret."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = escape_controls(value)
    return event


def escape_controls(text: str) -> str:
    """Return the text with characters that aren't printable escaped, except line feeds and tabs."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else character.encode("unicode_escape").decode()
        for character in text
    )


def _plain_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    text = StringIO()
    structlog.dev.plain_traceback(text, exc_info)
    stream.write(escape_controls(text.getvalue()))


def redact_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove addresses from the messages of libraries."""
    event["event"] = redact(str(event["event"])).strip()
    return event


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    try:
        return to_json(event, fallback=str, inf_nan_mode="strings").decode()
    except Exception:  # noqa: BLE001 - a value that JSON cannot represent must not fail the code that logs it
        return to_json({name: _representable(value) for name, value in event.items()}, inf_nan_mode="strings").decode()


def _representable(value: object) -> object:
    """Return the value, or a text in its place: JSON has no lone surrogates, binary data and cycles."""
    if value is None or isinstance(value, bool | int | float):
        return value
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # noqa: BLE001 - a `__repr__` of any library, or a value that is nested too deeply
        text = f"[{type(value).__name__}]"
    return text.encode(errors="backslashreplace").decode()


def _write(line: str) -> None:
    stream = sys.stderr if _Output.stream == "stderr" else sys.stdout
    try:
        stream.buffer.write(line.encode(errors="replace") + b"\n")
        stream.buffer.flush()
    except (OSError, ValueError):
        # The reader is gone, or the disk is full: no reason to fail a request.
        return


class _Observers:
    """The observers of log lines."""

    all: ClassVar[tuple[LogObserver, ...]] = ()


class _Output:
    """Structlog's output. Looks up the stream for every line, so that tests can replace it."""

    stream: ClassVar[StandardStream] = "stdout"

    def __init__(self, name: str = "app") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        _write(line)

    debug = info = warning = error = critical = msg


class _Handler(logging.Handler):
    """A handler for the records of the standard library's loggers."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _write(self.format(record))
        except Exception as error:  # noqa: BLE001 - a log line must not fail
            # `handleError` would print the exception that the line is about, with the data that it quotes.
            place = f"{record.pathname}:{record.lineno}"
            failed = {"event": "log_line_failed", "logger": record.name, "place": place, "error": type(error).__name__}
            _write(_render_json(None, "error", {"level": "error", **failed}))


def _take_over_standard_logging(formatter: logging.Formatter, level: int) -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Handler)]:
        root.removeHandler(old)
    handler = _Handler()
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(max(level, logging.WARNING))
    for name in LIBRARIES:
        logging.getLogger(name).setLevel(level)
    # The server has handlers of its own, and an access log with addresses and query strings.
    for name in ("uvicorn", "uvicorn.error"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    logging.getLogger("uvicorn.error").addFilter(_not_a_websocket_handshake)
    # At DEBUG, the server logs the headers and the messages of WebSockets, with their tokens.
    logging.getLogger("uvicorn.error").setLevel(max(level, logging.INFO))
    # Otherwise SQLAlchemy adds a handler of its own when DEBUG shows SQL.
    logging.getLogger("sqlalchemy.engine.Engine").handlers = [logging.NullHandler()]


def _not_a_websocket_handshake(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith('%s - "WebSocket')
