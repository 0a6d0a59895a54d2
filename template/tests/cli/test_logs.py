"""The command `app logs`."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.main import cli
from app.core.observability.log_fields import LOG_FIELDS

REQUEST = {"timestamp": "2026-01-01T00:00:00.000Z", "level": "info", "logger": "app.access", "event": "request"}
LINES = [
    REQUEST | {"request_id": "a", "route": "/api/v1/app/users/me", "status": 200, "user_id": "u"},
    REQUEST
    | {"timestamp": "2026-01-01T00:00:01.000Z", "level": "warning", "request_id": "b", "route": "health", "slow": True},
    {
        "timestamp": "2026-01-01T00:00:02.000Z",
        "level": "error",
        "event": "job_failed",
        "request_id": "a",
        "job": "users.send",
        "job_id": "j",
        "exception": "Traceback\nLookupError: x",
    },
    {"timestamp": "2026-01-01T00:00:03.000Z", "level": "warning", "event": "slow_query", "query": "SELECT 1"},
]
TEXT = "\n".join(json.dumps(line) for line in LINES)


def shown(*options: str, text: str | bytes = TEXT) -> list[str]:
    """The printed lines."""
    result = CliRunner().invoke(cli, ["logs", *options], input=text)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        ([], [0, 1, 2, 3]),
        (["--request-id", "a"], [0, 2]),
        (["--user-id", "u"], [0]),
        (["--trace-id", "t"], []),
        (["--job", "users.send"], [2]),
        (["--job", "j"], [2]),
        (["--route", "health"], [1]),
        (["--event", "job_failed"], [2]),
        (["--level", "warning"], [1, 2, 3]),
        (["--since", "2026-01-01T00:00:02"], [2, 3]),
        (["--until", "2026-01-01T00:00:01"], [0]),
        (["--slow"], [1, 3]),
        (["--slow", "--level", "error"], []),
    ],
    ids=lambda value: " ".join(map(str, value)) or "none",
)
def test_filters(options: list[str], numbers: list[int]) -> None:
    assert [json.loads(line) for line in shown("--json", *options)] == [LINES[number] for number in numbers]


def test_shows_lines_readably() -> None:
    assert shown("--request-id", "a") == [
        "2026-01-01T00:00:00.000Z info     request  request_id=a  route=/api/v1/app/users/me  status=200  user_id=u",
        "2026-01-01T00:00:02.000Z error    job_failed  request_id=a  job=users.send  job_id=j",
        "    Traceback",
        "    LookupError: x",
    ]


def test_reads_a_file(tmp_path: Path) -> None:
    path = tmp_path / "app.log"
    path.write_text(TEXT, encoding="utf-8")
    assert len(shown("--json", str(path), text="")) == len(LINES)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff\xfe\x00",
        b"not json\n",
        b"[1]\n",
        b"{}\n",
        b"[" * 100_000,
        b"x" * 3_000_000,
        b'{"event": null, "level": 7}',
    ],
    ids=["empty", "binary", "text", "list", "object", "nested", "long", "odd types"],
)
def test_other_lines_do_no_harm(text: bytes) -> None:
    lines = shown(text=text + b"\n" + TEXT.encode())
    assert lines[-1].endswith("slow_query  query=SELECT 1")
    assert len(shown("--json", "--event", "request", text=text + b"\n" + TEXT.encode())) == 2


@pytest.mark.parametrize("name", ["event", "path", "level", "timestamp", "exception", "\x1b[2J"])
def test_control_characters_are_escaped(name: str) -> None:
    hostile = json.dumps({"event": "x", name: "\u001b[2J\u001b]0;title\u0007"})
    for line in (hostile, "\x1b[2J\x1b]0;raw"):
        # Of a terminal: without colors, the library would remove escape sequences.
        written = CliRunner().invoke(cli, ["logs"], input=line, color=True).output.lower()
        assert "\\x1b[2j" in written
        assert "\x1b[2j" not in written
        assert "\x1b]0" not in written


def test_explains_the_fields() -> None:
    text = "\n".join(shown("--fields", text=""))
    for field in LOG_FIELDS:
        assert f"{field.name} " in text


def test_the_page_has_the_same_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")
    rows = [f"| `{field.name}` | {field.kind} | {field.lines} | {field.meaning} |" for field in LOG_FIELDS]
    assert "\n".join(rows) in page
