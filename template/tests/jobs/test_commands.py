"""What the module adds to the command `app`, and how a platform sees whether a worker lives."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.core.commands import CommandLine
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.jobs.alive import PATIENCE, is_alive, sign_of_life
from app.jobs.commands import jobs
from app.modules import MODULES
from tests.databases import Databases
from tests.jobs.work import Work, enqueue, fail, make_runtime, note


class TestJobs:
    async def test_are_listed_run_again_and_cancelled(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with databases.fresh() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            runtime = make_runtime(create_database(Settings()))
            runtime.resource(Work).failures = 10
            dead = await enqueue(runtime, fail)
            await runtime.queue.drain()
            waiting = await enqueue(runtime, note, "secret")
            await runtime.database.dispose()

            listed = await command("list")
            assert listed.exit_code == 0
            assert [line.split()[0] for line in listed.output.splitlines()] == [waiting, dead, "2"]
            assert "secret" not in listed.output
            assert "LookupError: nothing at [email]" in (await command("list", "--state", "dead")).output
            assert (await command("retry", waiting)).output == "Error: The job is waiting, not dead.\n"
            assert (await command("retry", dead)).output == "It waits for a worker.\n"
            assert (await command("cancel", waiting)).output == "Cancelled.\n"
            assert (await command("cancel", waiting)).exit_code == 1
            assert (await command("list", "--state", "running")).output == "There are none.\n"


async def command(*arguments: str) -> Result:
    """What `app jobs …` answers; in a thread, since it brings a loop of its own."""
    line = CommandLine(modules=MODULES, database=nullcontext)
    return await asyncio.to_thread(CliRunner().invoke, jobs, arguments, obj=line)


class TestAlive:
    def test_is_who_has_given_a_sign_of_life_lately(self, tmp_path: Path) -> None:
        file = tmp_path / "alive"
        assert not is_alive(file)
        file.touch()
        assert is_alive(file)
        past = time.time() - PATIENCE - 1
        os.utime(file, (past, past))
        assert not is_alive(file)

    def test_is_told_by_an_exit_code(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        ask = [sys.executable, "-m", "app.jobs.alive"]
        assert subprocess.run(ask, check=False).returncode == 1
        (tmp_path / sign_of_life().name).touch()
        assert subprocess.run(ask, check=False).returncode == 0
