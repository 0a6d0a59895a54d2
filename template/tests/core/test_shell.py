"""The command `app shell`."""

import asyncio
import io
import sys

import pytest

from app.core.module import module as core
from app.core.runtime import Runtime
from app.core.shell.commands import shell
from app.core.shell.console import AwaitingConsole


async def type_into(console: AwaitingConsole, *lines: str) -> None:
    """Type lines at the prompt, in a thread, as the command does."""
    for line in lines:
        await asyncio.to_thread(console.push, line)


class TestPrompt:
    async def test_awaits_in_the_event_loop_of_the_application(
        self, runtime: Runtime, capsys: pytest.CaptureFixture[str]
    ) -> None:
        console = AwaitingConsole({"runtime": runtime}, asyncio.get_running_loop())
        await type_into(
            console,
            "from sqlalchemy import text",
            "rows = await runtime.database.fetch(text('SELECT 6 * 7'), {})",
            "rows[0][0]",
        )
        assert capsys.readouterr().out == "42\n"

    async def test_prints_an_error_and_continues(self, capsys: pytest.CaptureFixture[str]) -> None:
        console = AwaitingConsole({}, asyncio.get_running_loop())
        await type_into(console, "1 / 0", "2 +", "3 + 4")
        captured = capsys.readouterr()
        assert "ZeroDivisionError" in captured.err
        assert "SyntaxError" in captured.err
        assert captured.out == "7\n"

    async def test_ends_at_exit(self) -> None:
        console = AwaitingConsole({}, asyncio.get_running_loop())
        with pytest.raises(SystemExit):
            await type_into(console, "raise SystemExit")


class TestCommand:
    async def test_has_the_session_and_the_models(
        self, runtime: Runtime, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        typed = "await session.scalar(select(func.count()).select_from(InboxEvent))\n"
        monkeypatch.setattr(sys, "stdin", io.StringIO(typed))
        body = shell.callback.__wrapped__  # type: ignore[union-attr]  # the coroutine function below `with_runtime`
        await body(runtime)
        captured = capsys.readouterr()
        assert ">>> 0\n" in captured.out
        assert "InboxEvent" in captured.err

    def test_belongs_to_the_core(self) -> None:
        assert shell in core.commands
