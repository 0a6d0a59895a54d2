"""The examples in docs/apple-iap.md work as they are."""

import json
import re
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from app.core.runtime import Runtime
from app.dev.servers.app_store.store import AppStore
from tests.apple_iap.conftest import LINK, Postman
from tests.conftest import SignIn
from tests.payments.store_purchases import MONTHLY, run_command

PAGE: Final = (Path(__file__).resolve().parents[2] / "docs" / "apple-iap.md").read_text(encoding="utf-8")
BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
CHANGING: Final = (
    (r"\d{16}", "ID"),
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
async def test_the_commands_print_the_output_on_the_page() -> None:
    steps = re.findall(r"^\$ uv run app (.*)\n((?:[^$].*\n)+)", block("console"), re.MULTILINE)
    assert len(steps) == 5
    for command, shown in steps:
        result = await run_command(*command.split())
        assert constant(result.stdout) == constant(shown)


async def test_the_link_answers_as_the_page_shows(
    client: httpx.AsyncClient, sign_in: SignIn, app_store: AppStore
) -> None:
    signed = app_store.signed_transaction(app_store.state.buy(MONTHLY))
    response = await client.post(LINK, json={"signed_transaction": signed}, headers=await sign_in())

    assert constant(json.dumps(response.json())) == constant(json.dumps(json.loads(block("json"))))


async def test_the_example_of_a_test_passes(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, app_store: AppStore, postman: Postman
) -> None:
    names: dict[str, Any] = {"__name__": "tests.apple_iap.example"}
    exec(block("python"), names)  # noqa: S102 - a page of this project
    await names["test_a_refund_ends_the_plan"](client, runtime, sign_in, app_store, postman)
