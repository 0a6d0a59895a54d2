"""The examples of the page on scaling are valid. `test_replica.py` runs its statements."""

import re
import shlex
from typing import Any, Final

from fastapi import FastAPI

from app.cli.serve import serve
from app.core.config.settings import Settings
from tests.pages import FOLDER, run_examples

PAGE: Final = (FOLDER / "scaling.md").read_text(encoding="utf-8")


def test_the_route_of_the_page_can_be_added() -> None:
    names: dict[str, Any] = {}
    assert run_examples("scaling.md", names) == 1
    app = FastAPI()
    app.include_router(names["router"])
    assert "/sign-ups" in app.openapi()["paths"]


def test_the_commands_of_the_page_are_valid() -> None:
    commands = [shlex.split(block) for block in re.findall(r"^```sh\n(.*?)\n```", PAGE, re.MULTILINE)]
    assert [command[:2] for command in commands] == [["app", "serve"]]
    assert serve.make_context("serve", commands[0][2:]).params["workers"] == 4


def test_the_settings_of_the_page_exist() -> None:
    named = set(re.findall(r"`((?:DATABASE|DB|LOG)_[A-Z_]+)", PAGE))
    assert len(named) >= 5
    assert named <= Settings.model_fields.keys()


def test_the_arithmetic_of_the_page_is_right() -> None:
    pool = Settings.model_fields["DB_POOL_SIZE"].default
    assert f"`DB_POOL_SIZE` connections ({pool})" in PAGE
    # 100 connections, of which 3 are reserved and 5 are for commands.
    assert f"that is {(100 - 3 - 5) // pool} processes" in PAGE
    assert f"at 200/s and 15 ms,\n{200 * 15 // 1000} connections" in PAGE
    assert f"1,000,000 rows a day kept for 90 days are {1_000_000 * 90 * 500 // 10**9} GB" in PAGE
