"""The schema of the log holds for every line that the application's code can write."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import app
from app.core.observability.log_fields import LOG_FIELDS

APP: Final = Path(app.__file__).parent
LEVELS: Final = {"debug", "info", "warning", "error", "exception", "critical"}
OPTIONS: Final = {"exc_info", "stack_info"}
"""Arguments that structlog does not write as fields of their own."""
ADDED: Final = {"timestamp", "level", "logger", "event", "request_id", "impersonator_id", "trace_id", "span_id"}
"""Fields that the core sets. It would overwrite the value of a call."""
NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


class Line(NamedTuple):
    """A call of a logger: its place, the text of its event, and its fields."""

    place: str
    event: str
    fields: frozenset[str]


def lines() -> Iterator[Line]:
    """Yield all calls of loggers in the application's code."""
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_logger(node.func):
                event = node.args[0] if node.args else None
                text = event.value if isinstance(event, ast.Constant) and isinstance(event.value, str) else ""
                names = frozenset(keyword.arg for keyword in node.keywords if keyword.arg is not None)
                yield Line(f"{path.relative_to(APP.parent)}:{node.lineno}", text, names - OPTIONS)


def _is_logger(function: ast.Attribute) -> bool:
    owner = function.value
    name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
    return function.attr in LEVELS and name.strip("_") in {"logger", "log"}


LINES: Final = tuple(lines())


def test_events_and_fields_have_stable_names() -> None:
    assert len(LINES) > 10
    wrong = [line for line in LINES if not all(map(NAME.fullmatch, (line.event or "x", *line.fields)))]
    assert wrong == []


def test_a_field_of_the_schema_has_its_meaning_in_every_event() -> None:
    """`lines` names the events of a field, such as "`request`, `slow_query`"; without any, each line may have it."""
    events = {field.name: set(re.findall("`(\\w+)`", field.lines)) for field in LOG_FIELDS}
    wrong = [
        f"{line.place}: {line.event} has {name}, which belongs to {sorted(events[name])}"
        for line in LINES
        for name in sorted(line.fields & events.keys())
        if events[name] and line.event not in events[name]
    ]
    assert wrong == []


def test_no_call_sets_a_field_that_the_core_adds() -> None:
    assert [line for line in LINES if line.fields & ADDED] == []
