"""The commands of docs/runbook/poisoned-job.md work as they are written."""

import shlex

import pytest

from app.core.config.settings import Settings
from app.core.db.database import create_database
from tests.databases import Databases
from tests.jobs.sample_jobs import enqueue_dead_and_waiting, make_runtime
from tests.jobs.test_commands import command
from tests.pages import shell_commands


async def test_the_commands_for_a_poisoned_job(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        dead, waiting = await enqueue_dead_and_waiting(make_runtime(create_database(Settings())))

        for line in shell_commands("runbook/poisoned-job.md"):
            job = waiting if "cancel" in line else dead
            ran = await command(*shlex.split(line.removeprefix("app jobs ").replace("$JOB", job)))
            assert ran.exit_code == 0, f"{line}: {ran.output}"
        assert (await command("list", "--state", "dead")).output == "No jobs.\n"
