"""The command `app logs`: read JSON lines of the log, filter them, and explain the fields."""

import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import click

MAX_LINE: Final = 1024 * 1024
"""Bytes of a line that are read; the rest of a longer one is skipped."""
LEVELS: Final = ("debug", "info", "warning", "error", "critical")
COLORS: Final = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "red"}
FIRST: Final = ("timestamp", "level", "logger", "event")

type Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """The conditions that a line has to meet. `None` is met by every line."""

    request_id: str | None = None
    user_id: str | None = None
    trace_id: str | None = None
    job: str | None = None
    route: str | None = None
    event: str | None = None
    level: str = "debug"
    since: str | None = None
    until: str | None = None
    slow: bool = False

    def match(self, line: Line) -> bool:
        """Return whether a line matches all filters."""
        for name in ("request_id", "user_id", "trace_id", "event"):
            wanted = getattr(self, name)
            if wanted is not None and line.get(name) != wanted:
                return False
        if self.job is not None and self.job not in (line.get("job"), line.get("job_id")):
            return False
        if self.route is not None and self.route not in str(line.get("route")):
            return False
        if _severity(line) < LEVELS.index(self.level):
            return False
        time = str(line.get("timestamp", ""))
        if (self.since is not None and time < self.since) or (self.until is not None and time >= self.until):
            return False
        return not self.slow or line.get("slow") is True or line.get("event") == "slow_query"


@click.command()
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--request-id", help="Only lines of this request, and of the jobs that it enqueued.")
@click.option("--user-id", help="Only lines of this user's requests.")
@click.option("--trace-id", help="Only lines of this trace.")
@click.option("--job", help="Only lines of the job with this name or id.")
@click.option("--route", help="Only lines whose route contains this text.")
@click.option("--event", help="Only lines of this event, such as job_failed.")
@click.option("--level", type=click.Choice(LEVELS), default="debug", help="Only lines of this level and above.")
@click.option("--since", help="Only lines from this time on, such as 2026-01-31T12:00 (UTC).")
@click.option("--until", help="Only lines before this time.")
@click.option("--slow", is_flag=True, help="Only slow requests and slow SQL statements.")
@click.option("--json", "as_json", is_flag=True, help="Print the matching lines unchanged.")
@click.option("--fields", is_flag=True, help="Explain the fields, and read nothing.")
def logs(*, file: BinaryIO, as_json: bool, fields: bool, **filters: Any) -> None:  # noqa: ANN401 - see Filters
    r"""Show the JSON lines of the log readably. Reads FILE, or standard input as long as it is open.

    \b
        docker compose logs --no-log-prefix --follow app | app logs --level warning
        app logs --request-id 01a220f0bad9777e90585d130294f762 app.log
        app logs --fields

    Lines that are not JSON are shown as they are, unless a filter is given.
    """
    if fields:
        _explain()
        return
    wanted = Filters(**filters)
    shows_all = wanted == Filters()
    with suppress(BrokenPipeError, KeyboardInterrupt):
        for raw in _lines(file):
            line = _parsed(raw)
            if line is None and not shows_all:
                continue
            if line is not None and not wanted.match(line):
                continue
            text = raw.decode(errors="replace").rstrip("\r\n")
            click.echo(_safe(text) if line is None else text if as_json else _readable(line))
        return
    # The reader of the output is gone: nothing is left to say, not even at the interpreter's end.
    sys.stderr.close()


def _lines(file: BinaryIO) -> Iterator[bytes]:
    while raw := file.readline(MAX_LINE):
        yield raw
        while raw and not raw.endswith(b"\n"):
            raw = file.readline(MAX_LINE)


def _parsed(raw: bytes) -> Line | None:
    try:
        line = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and "event" in line else None


def _severity(line: Line) -> int:
    level = line.get("level")
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


def _readable(line: Line) -> str:
    level = str(line.get("level", "")).lower()
    colored = click.style(_safe(f"{level:<8}"), fg=COLORS.get(level))
    head = f"{_safe(str(line.get('timestamp', '')))} {colored} {_safe(str(line['event']))}"
    facts = [f"{name}={_shown(value)}" for name, value in line.items() if name not in FIRST and name != "exception"]
    text = "  ".join([head, *map(_safe, facts)])
    if isinstance(error := line.get("exception"), str):
        text += "".join(f"\n    {_safe(part)}" for part in error.splitlines())
    return text


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _safe(text: str) -> str:
    """Return the text with control characters escaped, which a terminal would interpret."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _explain() -> None:
    from app.core.observability.log_fields import LOG_FIELDS

    for field in LOG_FIELDS:
        click.echo(f"{field.name:<16} {field.kind:<8} {field.meaning}\n{'':<26}lines: {field.lines}".replace("`", ""))
