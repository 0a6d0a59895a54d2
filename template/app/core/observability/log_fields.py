"""The schema of the log: the fields that lines have beside those of their own event."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class LogField:
    """A field of log lines.

    Attributes:
        kind: its JSON type.
        lines: which lines have it.
    """

    name: str
    kind: str
    lines: str
    meaning: str


LOG_FIELDS: Final = (
    LogField("timestamp", "string", "all", "RFC 3339, UTC, with milliseconds"),
    LogField("level", "string", "all", "`debug`, `info`, `warning`, `error` or `critical`"),
    LogField("logger", "string", "all", "the module that logs; `app.access` for requests"),
    LogField("event", "string", "all", "what happened: a stable name, such as `request` or `job_failed`"),
    LogField("request_id", "string", "of a request or its jobs", "the id that the client received as `X-Request-ID`"),
    LogField("user_id", "string", "of an authenticated request", "the user's id"),
    LogField("impersonator_id", "string", "of an impersonated request", "the administrator who acts as the user"),
    LogField("trace_id", "string", "of a traced operation", "32 hexadecimal digits (W3C trace context)"),
    LogField("span_id", "string", "of a traced operation", "16 hexadecimal digits (W3C trace context)"),
    LogField("job", "string", "of a job", "the job's name"),
    LogField("job_id", "string", "of a job", "the job's id"),
    LogField("attempt", "number", "of a job's outcome", "counts from 1"),
    LogField("method", "string", "`request`, `unhandled_error`", "the request's method"),
    LogField("path", "string", "`request`, `unhandled_error`", "the path, without the query string"),
    LogField("route", "string", "`request`, `slow_query`", "the route's template; null if no route matched"),
    LogField("status", "number", "`request`", "the response's status; 499 if the client disconnected before"),
    LogField("duration_ms", "number", "of a finished operation", "a request ends with the last byte of its response"),
    LogField("queries", "number", "`request`, `job`", "SQL statements"),
    LogField("query_ms", "number", "`request`, `job`", "the time of the statements"),
    LogField("slow", "boolean", "`request`", "true if the response began later than `LOG_SLOW_REQUESTS`"),
    LogField("query", "string", "`slow_query`", "the statement, with placeholders instead of values"),
    LogField("suppressed", "number", "`slow_query`", "slow statements without a line of their own since the last one"),
    LogField("exception", "string", "of an error", "the traceback, whose messages quote no data"),
)
"""The fields in the order of their importance. `docs/logs.md` has the same table."""
