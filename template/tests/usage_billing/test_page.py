"""The examples in docs/usage-billing.md work as they are."""

import ast
import re
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core.runtime import Runtime
from app.usage_billing.data_policy import KEPT
from app.usage_billing.meters import Meters
from app.usage_billing.models import UsageState
from app.usage_billing.recorder import OLDEST, UsageLedger
from app.users.models import User
from tests.usage_billing.conftest import records

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "usage-billing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


def example(number: int) -> dict[str, Any]:
    """Run one of the Python examples and return its names."""
    blocks = [block["text"] for block in BLOCK.finditer(PAGE) if block["kind"] == "python"]
    names: dict[str, Any] = {"__name__": "tests.usage_billing.example"}
    exec(blocks[number], names)  # noqa: S102 - a page of this project
    return names


@pytest.fixture(autouse=True)
def meters(tmp_path: Path, runtime: Runtime) -> Meters:
    """The meters of the page."""
    (file,) = (block["text"] for block in BLOCK.finditer(PAGE) if block["kind"] == "toml")
    (tmp_path / "meters.toml").write_text(file, encoding="utf-8")
    meters = Meters.load(tmp_path / "meters.toml")
    runtime.usage = UsageLedger(meters)
    return meters


async def test_usage_is_recorded(runtime: Runtime, user_id: UUID) -> None:
    await example(0)["summarise"](runtime, user_id, "one two three")
    (row,) = await records(runtime)
    assert (row.meter, row.quantity) == ("ai_tokens", 3)


async def test_usage_is_recorded_in_the_shell(runtime: Runtime, user_id: UUID) -> None:
    text = [block["text"] for block in BLOCK.finditer(PAGE) if block["kind"] == "python"][2]
    async with runtime.database.transaction() as session:
        user = await session.get(User, user_id)
        assert user is not None
        user.email = "me@example.com"
        await session.flush()
        names: dict[str, Any] = {"runtime": runtime, "session": session, "select": select, "User": User}
        work = eval(compile(text, "shell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)  # noqa: S307 - a page of this project
        await work
    assert [row.quantity for row in await records(runtime)] == [3_000_000]


async def test_a_job_is_billed_once(runtime: Runtime, user_id: UUID) -> None:
    for report in ("a", "a", "b"):
        await example(1)["export_report"](runtime, str(user_id), report)
    assert [(row.meter, row.key) for row in await records(runtime)] == [
        ("exports", "report/a"),
        ("exports", "report/b"),
    ]


def test_the_page_names_every_state_and_the_limits() -> None:
    assert all(f"| `{state.value}` |" in PAGE for state in UsageState)
    assert f"kept for {KEPT.days} days" in PAGE
    assert f"last {OLDEST.days} days" in PAGE
