"""The examples in docs/google-play.md work as they are."""

import json
import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.core.runtime import Runtime
from app.dev.servers.google_play.store import GooglePlay
from tests.conftest import SignIn
from tests.google_iap.conftest import Postman, link
from tests.payments.store_purchases import MONTHLY, run_command

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "google-play.md").read_text(encoding="utf-8")
BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
ID: Final = "kq3Zt0mXw1yB7rVfJ5uLcP2a"
CHANGING: Final = (
    (r"[0-9a-f]{8}-[0-9a-f-]{27}", "USER"),
    (r"\d{4}-\d\d-\d\dT[\d:]{8}(\.\d+Z)?", "TIME"),
)
"""The values that differ with each run."""


def block(kind: str) -> str:
    (text,) = (found["text"] for found in BLOCK.finditer(PAGE) if found["kind"] == kind)
    return text


def constant(text: str) -> str:
    """Replace what differs with each run."""
    for pattern, name in CHANGING:
        text = re.sub(pattern, name, text)
    return text


@pytest.mark.usefixtures("command_runtime")
async def test_the_commands_print_the_output_on_the_page(google_play: GooglePlay) -> None:
    steps = re.findall(r"^\$ uv run app (.*)\n((?:[^$].*\n)+)", block("console"), re.MULTILINE)
    assert len(steps) == 5
    for command, shown in steps:
        # The token of this run.
        id_ = next((token[: len(ID)] for token in google_play.state.items), ID)
        result = await run_command(*command.replace(ID, id_).split())
        id_ = next(token[: len(ID)] for token in google_play.state.items)
        assert constant(result.stdout.replace(id_, ID)) == constant(shown)


async def test_the_link_answers_as_the_page_shows(
    client: httpx.AsyncClient, sign_in: SignIn, google_play: GooglePlay
) -> None:
    response = await link(client, await sign_in(), google_play.state.buy(MONTHLY).token)

    assert constant(json.dumps(response.json())) == constant(json.dumps(json.loads(block("json"))))


async def test_the_example_of_a_test_passes(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, google_play: GooglePlay, postman: Postman
) -> None:
    names: dict[str, Any] = {"__name__": "tests.google_iap.example"}
    exec(block("python"), names)  # noqa: S102 - a page of this project
    await names["test_a_refund_ends_the_plan"](client, runtime, sign_in, google_play, postman)
