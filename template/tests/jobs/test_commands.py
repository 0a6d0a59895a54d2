"""The commands of the module, and the health check of a worker."""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import get_type_hints
from uuid import UUID

import click
import pytest
from click.testing import CliRunner, Result

from app import project_modules
from app.core.commands import CommandLine
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.jobs.names import job_name
from app.core.lifecycle import jobs_of
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.jobs.commands import crons, jobs
from app.jobs.heartbeat import HEARTBEAT_TIMEOUT, heartbeat_file, is_alive
from app.modules import MODULES
from tests.databases import Databases
from tests.jobs.sample_jobs import enqueue_dead_and_waiting, make_runtime


class TestJobs:
    async def test_are_listed_run_again_and_cancelled(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with databases.fresh() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            dead, waiting = await enqueue_dead_and_waiting(make_runtime(create_database(Settings())))

            listed = await command("list")
            assert listed.exit_code == 0
            assert [line.split()[0] for line in listed.output.splitlines()] == [waiting, dead, "2"]
            assert "secret" not in listed.output
            assert "LookupError: nothing at [email]" in (await command("list", "--state", "dead")).output
            assert (await command("retry", waiting)).output == "Error: The job is waiting, not dead.\n"
            assert (await command("retry", dead)).output == "The job is waiting for a worker.\n"
            assert (await command("cancel", waiting)).output == "Cancelled.\n"
            assert (await command("cancel", waiting)).exit_code == 1
            assert (await command("list", "--state", "running")).output == "No jobs.\n"


class TestRun:
    async def test_runs_a_job_with_json_arguments(self) -> None:
        ran = await command("run", "small.add", "[1, 2]", "not JSON", modules=(*MODULES, SMALL))
        assert ran.output == '{\n  "sum": 3,\n  "name": "not JSON"\n}\n'
        assert (await command("run", "small.nothing", modules=(*MODULES, SMALL))).output == "Done.\n"

    async def test_lists_the_jobs(self) -> None:
        assert "core.cleanup_old_data\n" in (await command("run")).output

    async def test_names_an_unknown_job(self) -> None:
        ran = await command("run", "small.subtract")
        assert ran.output == "Error: There is no job small.subtract. `app jobs run` lists all jobs.\n"

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (
                ["small.add", "[1, 2]"],
                "missing a required argument: 'name'. Its arguments: numbers: list[int], name: str",
            ),
            (["small.nothing", "1"], "too many positional arguments. Its arguments: none"),
        ],
        ids=["too few", "too many"],
    )
    async def test_names_the_arguments_when_their_number_is_wrong(self, arguments: list[str], reason: str) -> None:
        ran = await command("run", *arguments, modules=(*MODULES, SMALL))
        assert (ran.exit_code, ran.output) == (1, f"Error: {arguments[0]}: {reason}.\n")

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            (["users.export_user_data", "7"], "user_id: input should be a valid string"),
            (["users.export_user_data", "no-id"], "user_id: must be a UUID"),
            (["users.export_user_data", ""], "user_id: must be a UUID"),
            (["users.delete_user_data", str(UUID(int=7)), "no-id"], "actor_id: must be a UUID"),
            (["core.process_inbox_event", "\udcff"], "id_: must be a UUID"),
            (["small.add", '["one"]', "x"], "numbers: input should be a valid integer, unable to parse string"),
        ],
        ids=str,
    )
    async def test_names_an_argument_of_another_type(self, arguments: list[str], reason: str) -> None:
        ran = await command("run", *arguments, modules=(*MODULES, SMALL))
        assert ran.exit_code == 1
        assert ran.output.startswith(f"Error: {arguments[0]}: {reason}")
        assert len(ran.output.splitlines()) == 1

    async def test_every_job_with_an_id_declares_it(self) -> None:
        for function in jobs_of([module for module in MODULES if module not in project_modules.MODULES]):
            for name, hint in get_type_hints(function, include_extras=True).items():
                if name in {"user_id", "actor_id", "id_"}:
                    assert "AfterValidator" in str(hint), f"{job_name(function)}: annotate {name} with UuidText"


class TestCrons:
    async def test_are_listed_with_their_next_runs(self) -> None:
        listed = (await command("--count", "2", group=crons)).output.splitlines()
        place = listed.index("core.generate_daily_report  5 0 * * *  UTC")
        assert [line[-9:] for line in listed[place + 1 : place + 3]] == ["00:05 UTC", "00:05 UTC"]
        assert not listed[place + 3].startswith(" ")


async def add(_runtime: Runtime, numbers: list[int], name: str) -> dict[str, object]:
    return {"sum": sum(numbers), "name": name}


async def nothing(_runtime: Runtime) -> None:
    return None


add.__module__ = nothing.__module__ = "app.small.jobs"
SMALL = Module(name="small", jobs=(add, nothing))


async def command(*arguments: str, group: click.Command = jobs, modules: tuple[Module, ...] = MODULES) -> Result:
    """Run `app jobs …` in a thread, since it starts an event loop of its own."""
    line = CommandLine(modules=modules, database=nullcontext)
    return await asyncio.to_thread(CliRunner().invoke, group, arguments, obj=line)


class TestAlive:
    def test_is_a_worker_with_a_recent_heartbeat(self, tmp_path: Path) -> None:
        file = tmp_path / "alive"
        assert not is_alive(file)
        file.touch()
        assert is_alive(file)
        past = time.time() - HEARTBEAT_TIMEOUT - 1
        os.utime(file, (past, past))
        assert not is_alive(file)

    def test_is_reported_by_the_exit_code(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        ask = [sys.executable, "-m", "app.jobs.heartbeat"]
        assert subprocess.run(ask, check=False).returncode == 1
        (tmp_path / heartbeat_file().name).touch()
        assert subprocess.run(ask, check=False).returncode == 0
