"""Whether the application lives and is ready."""

import asyncio

import httpx
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from starlette.types import Receive, Scope, Send

from app.core.db.database import Database
from app.core.http import health
from app.core.http.server.state import DRAINING
from app.core.lifecycle import create_runtime
from app.core.manifest import HealthCheck, Module
from app.core.module import module as core
from app.core.runtime import Runtime
from app.main import create_app
from tests.core.applications import PUBLIC, Build, client_of, error_of

READY = f"{PUBLIC}/health/ready"


async def well(_runtime: Runtime) -> None:
    return None


async def broken(_runtime: Runtime) -> None:
    raise ConnectionRefusedError("cache://user:password@10.0.0.1")


async def stuck(_runtime: Runtime) -> None:
    await asyncio.Event().wait()


def module(name: str, check: HealthCheck) -> Module:
    return Module(name=name, health_checks=(check,))


class TestHealth:
    async def test_answers(self, build: Build) -> None:
        async with client_of(build()) as client:
            answer = await client.get(f"{PUBLIC}/health")

        assert answer.status_code == 200
        assert answer.json() == {"status": "ok"}
        assert answer.headers["content-type"] == "application/json"

    async def test_uses_no_dependency(self, build: Build) -> None:
        async with client_of(build(module("a", HealthCheck(name="broken", check=broken)))) as client:
            assert (await client.get(f"{PUBLIC}/health")).status_code == 200


class TestReadiness:
    async def test_is_200_if_all_checks_pass(self, build: Build) -> None:
        async with client_of(build(module("a", HealthCheck(name="cache", check=well)))) as client:
            answer = await client.get(READY)

        assert answer.status_code == 200
        assert answer.json() == {"status": "ok", "degraded": []}

    async def test_names_the_part_that_it_does_without(self, build: Build) -> None:
        modules = (
            module("a", HealthCheck(name="cache", check=broken, degrades=True)),
            module("b", HealthCheck(name="storage", check=well, degrades=True)),
        )
        async with client_of(build(*modules)) as client:
            answer = await client.get(READY)

        assert answer.status_code == 200
        assert answer.json() == {"status": "degraded", "degraded": ["cache"]}

    async def test_names_failed_required_checks(self, build: Build) -> None:
        modules = (
            module("a", HealthCheck(name="cache", check=broken, degrades=True)),
            module("b", HealthCheck(name="storage", check=broken)),
        )
        async with client_of(build(*modules)) as client:
            answer = await client.get(READY)

        assert answer.status_code == 503
        error = error_of(answer)
        assert error["message"] == "Not ready: storage."
        assert sorted(error["details"]) == ["cache", "storage"]

    async def test_names_the_part_that_fails_and_no_secret(self, build: Build) -> None:
        modules = (
            module("a", HealthCheck(name="cache", check=broken)),
            module("b", HealthCheck(name="storage", check=well)),
        )
        async with client_of(build(*modules)) as client:
            answer = await client.get(READY)

        assert answer.status_code == 503
        error = error_of(answer)
        assert error["code"] == "SERVICE_UNAVAILABLE"
        assert error["message"] == "Not ready: cache."
        assert error["details"] == {"cache": "ConnectionRefusedError"}
        assert "password" not in answer.text

    async def test_runs_all_checks_concurrently_with_a_deadline(
        self, build: Build, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "CHECK_TIMEOUT", 0.25)
        modules = [module(str(number), HealthCheck(name=f"part {number}", check=stuck)) for number in range(20)]
        # One after the other, they would take five seconds.
        async with client_of(build(*modules)) as client, asyncio.timeout(4):
            answer = await client.get(READY)

        assert answer.status_code == 503
        # On a busy machine the database may time out as well.
        details = {name: error for name, error in error_of(answer)["details"].items() if name != "database"}
        assert details == {f"part {number}": "timeout" for number in range(20)}

    @pytest.mark.parametrize(
        "url",
        [
            "postgresql+asyncpg://nobody:password@127.0.0.1:1/none",
            "sqlite+aiosqlite:////nowhere/none.db",
        ],
    )
    async def test_names_the_database(self, environment: None, url: str) -> None:
        del environment
        database = Database(create_async_engine(url))
        async with client_of(create_app((core,), runtime=create_runtime((core,), database=database))) as client:
            answer = await client.get(READY)
        await database.dispose()

        assert answer.status_code == 503
        assert list(error_of(answer)["details"]) == ["database"]
        assert "password" not in answer.text

    async def test_shares_the_checks_of_concurrent_requests(self, build: Build) -> None:
        asked: list[int] = []
        release = asyncio.Event()

        async def count(_runtime: Runtime) -> None:
            asked.append(1)
            await release.wait()

        async with client_of(build(module("a", HealthCheck(name="cache", check=count)))) as client:
            requests = [asyncio.create_task(client.get(READY)) for _ in range(10)]
            for _ in range(200):
                await asyncio.sleep(0)
            release.set()
            answers = await asyncio.gather(*requests)

        assert [answer.status_code for answer in answers] == [200] * 10
        assert len(asked) == 1

    async def test_fails_while_the_server_is_stopping(self, build: Build) -> None:
        app = build()

        async def draining(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": {DRAINING: True}}, receive, send)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(draining), base_url="http://testserver") as client:
            answer = await client.get(READY)

        assert answer.status_code == 503
        assert error_of(answer)["message"] == "Not ready: the server is stopping."
