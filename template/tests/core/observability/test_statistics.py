"""The number and the time of statements in log lines, and the lines about what is slow."""

import httpx
import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from app.core.config.settings import Settings
from app.core.context import Queries, current_queries
from app.core.db import query_statistics
from app.core.db.database import create_database
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.conftest import ME, SignIn
from tests.core.applications import PUBLIC, Build, client_of, module
from tests.statements import no_repeated_queries, statements_of


async def test_a_request_has_the_number_and_the_time_of_its_statements(
    live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
) -> None:
    headers = await live_sign_in()
    with statements_of(live_runtime.database) as sent, capture_logs() as lines:
        await live_client.get(ME, headers=headers)

    (line,) = (line for line in lines if line["event"] == "request")
    assert line["queries"] == len(sent) > 0
    assert 0 < line["query_ms"] < line["duration_ms"]
    assert "slow" not in line


async def test_a_job_has_the_number_of_its_statements() -> None:
    async def look(runtime: Runtime) -> None:
        async with runtime.database.reading() as session:
            await session.execute(text("SELECT 1"))

    runtime = create_runtime([core, Module(name="shop", jobs=(look,))])
    async with running(runtime, background=False):
        assert isinstance(runtime.queue, InProcessQueue)
        runtime.queue.eager = False
        async with runtime.database.transaction() as session:
            await runtime.queue.enqueue(session, look)
        with capture_logs() as lines:
            await runtime.queue.drain()

    (line,) = (line for line in lines if line["event"] == "job")
    assert (line["queries"], line["attempt"]) == (1, 1)


async def test_a_slow_request_is_a_warning_and_a_health_check_is_logged_only_if_it_is_slow(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def read() -> None:
        return None

    for seconds, level in (("0", "info"), ("3600", "info"), ("0.0000001", "warning")):
        monkeypatch.setenv("LOG_SLOW_REQUESTS", seconds)
        app = build(module(("GET", "/thing", read)))
        async with client_of(app) as client:
            with capture_logs() as lines:
                await client.get(f"{PUBLIC}/thing")
                await client.get(f"{PUBLIC}/health")
        shown = [line for line in lines if line["event"] == "request"]
        assert {line["log_level"] for line in shown} == {level}
        assert len(shown) == (2 if level == "warning" else 1)


async def test_one_of_so_many_health_checks_is_logged(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_HEALTH_SAMPLE", "3")
    async with client_of(build()) as client:
        with capture_logs() as lines:
            for _ in range(7):
                await client.get(f"{PUBLIC}/health")
    assert [line["event"] for line in lines].count("request") == 2


class TestSlowStatements:
    async def test_are_logged_without_values_and_not_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LOG_SLOW_QUERIES", "0.0000001")
        now = 1000.0
        monkeypatch.setattr(query_statistics, "monotonic", lambda: now)
        database = create_database(Settings())
        try:
            with capture_logs() as lines:
                for number in range(query_statistics.MAX_LINES + 5):
                    await database.fetch(text("SELECT CAST(:number AS INTEGER)"), {"number": 4200 + number})
                now += query_statistics.WINDOW
                await database.fetch(text("SELECT 'ann@example.com'"), {})
        finally:
            await database.dispose()

        slow = [line for line in lines if line["event"] == "slow_query"]
        assert len(slow) == query_statistics.MAX_LINES + 1
        assert "42" not in slow[0]["query"]
        assert (slow[-1]["suppressed"], slow[-1]["query"]) == (5, "SELECT ?")

    async def test_are_counted_for_nothing_outside_of_requests_and_jobs(self, runtime: Runtime) -> None:
        async with runtime.database.reading() as session:
            await session.execute(text("SELECT 1"))
        assert current_queries.get() is None
        assert Queries().facts() == {"queries": 0, "query_ms": 0}


class TestRepeatedQueries:
    async def test_are_named_with_their_number(self, live_runtime: Runtime) -> None:
        async def repeat() -> None:
            with no_repeated_queries(live_runtime.database):
                for _ in range(3):
                    await live_runtime.database.fetch(text("SELECT 1"), {})

        with pytest.raises(AssertionError, match=r"3 times from .*SELECT 1"):
            await repeat()

    async def test_may_be_allowed(self, live_runtime: Runtime) -> None:
        with no_repeated_queries(live_runtime.database, allowed=3):
            for _ in range(3):
                await live_runtime.database.fetch(text("SELECT 1"), {})
