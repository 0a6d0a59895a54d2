"""The resources of a process, and its start and stop."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from sqlalchemy import func, select

from app.core.config.settings import ConfigurationError, ModuleSettings, Settings
from app.core.db.database import Database, create_database
from app.core.db.log_audit import LogAudit
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, PlanLevel
from app.core.module import module as core
from app.core.ports.cache import MemoryCache
from app.core.runtime import Runtime
from tests.databases import Databases


class SmallSettings(ModuleSettings):
    """Of a module."""

    SMALL_SIZE: int = 1


def lifespan_of(
    name: str, log: list[str], *, fails: bool = False
) -> Callable[[Runtime], AbstractAsyncContextManager[None]]:
    """A resource that records when it is opened and closed."""

    @asynccontextmanager
    async def lifespan(_runtime: Runtime) -> AsyncIterator[None]:
        log.append(f"+{name}")
        if fails:
            raise LookupError
        try:
            yield
        finally:
            log.append(f"-{name}")

    return lifespan


class TestResources:
    def test_are_the_provided_values(self, database: Database) -> None:
        runtime = create_runtime([core, Module(name="small", settings=(SmallSettings,))], database=database)
        assert runtime.resource(SmallSettings).SMALL_SIZE == 1
        assert runtime.resource(Settings) is runtime.settings

    def test_that_are_missing_are_named(self, database: Database) -> None:
        with pytest.raises(LookupError, match="Nothing provides SmallSettings"):
            create_runtime([core], database=database).resource(SmallSettings)


class TestOverride:
    def test_restores_the_default_at_the_end_of_the_block(self, database: Database) -> None:
        runtime = create_runtime([core], database=database)
        default, other = runtime.cache, MemoryCache()
        with runtime.override(cache=other):
            assert runtime.cache is other
        assert runtime.cache is default

    def test_restores_the_default_when_the_block_raises(self, database: Database) -> None:
        runtime = create_runtime([core], database=database)
        default = runtime.cache
        with pytest.raises(LookupError), runtime.override(cache=MemoryCache()):
            raise LookupError
        assert runtime.cache is default

    def test_refuses_a_second_provider_of_the_same_port(self, database: Database) -> None:
        runtime = create_runtime([core], database=database)
        first = MemoryCache()
        with runtime.override(cache=first):
            with (
                pytest.raises(ValueError, match="Two modules provide the port cache"),
                runtime.override(cache=MemoryCache(), audit=LogAudit()),
            ):
                pass
            assert runtime.cache is first
        with runtime.override(cache=MemoryCache()):
            pass


class TestCreateRuntime:
    def test_needs_the_core(self) -> None:
        with pytest.raises(ValueError, match="The core is missing"):
            create_runtime([Module(name="small")])


class TestRunning:
    async def test_opens_the_modules_in_order_and_closes_them_in_reverse(self, database: Database) -> None:
        log: list[str] = []
        modules = [Module(name=name, lifespan=lifespan_of(name, log)) for name in ("a", "b")]
        async with running(create_runtime([core, *modules], database=database), background=False):
            assert log == ["+a", "+b"]
        assert log == ["+a", "+b", "-b", "-a"]

    async def test_closes_open_resources_if_one_fails_to_open(self, database: Database) -> None:
        log: list[str] = []
        modules = [Module(name=name, lifespan=lifespan_of(name, log, fails=name == "b")) for name in ("a", "b")]
        with pytest.raises(LookupError):
            async with running(create_runtime([core, *modules], database=database), background=False):
                log.append("never")
        assert log == ["+a", "+b", "-a"]

    async def test_finishes_queued_jobs_while_the_modules_are_open(
        self, databases: Databases, settings: Settings
    ) -> None:
        log: list[str] = []

        async def job(_runtime: Runtime) -> None:
            log.append("job")

        async with databases.fresh() as url:
            modules = [Module(name="a", lifespan=lifespan_of("a", log), jobs=(job,))]
            runtime = create_runtime([core, *modules], database=create_database(settings.with_database(url)))
            async with running(runtime), runtime.database.transaction() as session:
                await runtime.queue.enqueue(session, job)
            assert isinstance(runtime.queue, InProcessQueue)
        assert log == ["+a", "job", "-a"]

    async def test_needs_a_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL")
        runtime = create_runtime([core])
        with pytest.raises(ConfigurationError, match="DATABASE_URL is not set; `app dev` starts"):
            async with running(runtime):
                pass


class TestLevels:
    def test_have_different_names(self, database: Database) -> None:
        level = PlanLevel(resource="things", measure=lambda _user_id: select(func.count()))
        modules = [Module(name=name, levels=(level,)) for name in ("a", "b")]
        with pytest.raises(ValueError, match="Two modules measure the same level"):
            create_runtime([core, *modules], database=database)
