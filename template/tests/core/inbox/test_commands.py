"""The command `app inbox`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

import pytest
from click.testing import CliRunner, Result
from uuid_utils.compat import uuid7

from app.core.commands import CommandLine
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.inbox.commands import inbox
from app.core.inbox.models import InboxStatus
from app.core.inbox.service import UnusableEventError
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.core.inbox.shop import Shop, handle, make_tables, only_event, sell, sold, tell
from tests.databases import Databases


class Counter:
    """The shop as the command finds it; the command has a runtime of its own."""

    def __init__(self) -> None:
        self.shop = Shop()

    @asynccontextmanager
    async def lifespan(self, runtime: Runtime) -> AsyncIterator[None]:
        """Open the shop."""
        runtime.provide(Shop, self.shop)
        yield

    async def run(self, *arguments: str) -> Result:
        """Run `app inbox …` in a thread, because it starts its own event loop."""
        module = Module(name="shop", inbox_handlers=(sell,), lifespan=self.lifespan)
        line = CommandLine(modules=(core, module), database=nullcontext)
        return await asyncio.to_thread(CliRunner().invoke, inbox, arguments, obj=line)


@pytest.fixture
def counter() -> Counter:
    """The shop, and the commands that work on it."""
    return Counter()


@pytest.fixture
async def runtime(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime on the database that the command finds in its environment."""
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        made = create_runtime([core, Module(name="shop", inbox_handlers=(sell,))], database=create_database(Settings()))
        made.provide(Shop, Shop())
        assert isinstance(made.queue, InProcessQueue)
        made.queue.eager = False
        await make_tables(made)
        yield made
        await made.database.dispose()


@pytest.fixture
async def failed(runtime: Runtime) -> str:
    """The id of an event that has failed."""
    shop = runtime.resource(Shop)
    shop.error = UnusableEventError("out of cups")
    await tell(runtime)
    await handle(runtime)
    return str((await only_event(runtime)).id)


class TestList:
    async def test_lists_events_without_their_payloads(self, counter: Counter, failed: str) -> None:
        result = await counter.run("list")
        assert result.exit_code == 0
        (line,) = result.output.splitlines()
        assert line.startswith(f"{failed}  20")
        assert line.endswith("failed  shop  1  1 attempt  UnusableEventError: out of cups")
        assert "name" not in line

    @pytest.mark.usefixtures("failed")
    async def test_shows_one_status_only(self, counter: Counter) -> None:
        assert (await counter.run("list", "--status", "done")).output == "No events.\n"
        assert len((await counter.run("list", "--status", "failed")).output.splitlines()) == 1

    @pytest.mark.usefixtures("runtime")
    async def test_knows_its_options(self, counter: Counter) -> None:
        assert "Invalid value for '--status'" in (await counter.run("list", "--status", "odd")).output
        assert "Invalid value for '--limit'" in (await counter.run("list", "--limit", "0")).output


class TestRetry:
    async def test_handles_the_event_again(self, counter: Counter, runtime: Runtime, failed: str) -> None:
        result = await counter.run("retry", failed)
        assert (result.exit_code, result.output) == (0, "Done.\n")
        assert (await only_event(runtime)).status == InboxStatus.DONE
        assert await sold(runtime) == ["cup"]

    async def test_prints_the_reason_of_another_failure(self, counter: Counter, failed: str) -> None:
        counter.shop.error = UnusableEventError("still none")
        result = await counter.run("retry", failed)
        assert result.exit_code == 1
        assert result.output.endswith("Error: The event failed again: UnusableEventError: still none\n")

    @pytest.mark.usefixtures("runtime")
    async def test_of_an_invalid_id_mentions_the_list(self, counter: Counter) -> None:
        key = str(uuid7())
        result = await counter.run("retry", key)
        assert result.exit_code == 1
        assert result.output == (
            f"Error: There is no failed event {key}. `app inbox list --status failed` lists failed events.\n"
        )
        assert "not a valid UUID" in (await counter.run("retry", "seven")).output
