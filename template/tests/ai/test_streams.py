"""Streams over a real server, and clients that disconnect."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import httpx
import pytest
from sqlalchemy.pool import QueuePool

from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import running
from app.core.ports.plans import FreePlan
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from tests.ai.live import serving_app
from tests.ai.requests import AI, parse
from tests.conftest import SignIn, make_runtime, sign_in_to
from tests.databases import Databases
from tests.fakes.llm import TEXTS, FakeLLM, Hangs, Says

READY = "/api/v1/public/health/ready"
STREAMS = 50
POOL = 5


@pytest.fixture
async def served_runtime(
    fakes: dict[str, FakeLLM], databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Runtime]:
    """A runtime with a small pool and no quotas."""
    assert fakes
    monkeypatch.setenv("DB_POOL_SIZE", str(POOL))
    monkeypatch.setenv("RATE_LIMIT_AI", "1000/minute")
    monkeypatch.setenv("AI_MAX_CONCURRENT_ANSWERS", str(STREAMS))
    monkeypatch.setenv("AI_WRITE_TIMEOUT_SECONDS", "1")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        made = make_runtime(create_database(Settings().with_database(url)))
        started = await stack.enter_async_context(running(made, background=False))
        # The plans of a project may allow fewer requests than these tests send.
        started.plans = FreePlan()
        yield started


@pytest.fixture
async def browser(served_runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the served application, over the network."""
    limits = httpx.Limits(max_connections=None)
    async with (
        serving_app(create_app(MODULES, runtime=served_runtime)) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, limits=limits) as client,
    ):
        yield client


@pytest.fixture
def served_sign_in(served_runtime: Runtime, browser: httpx.AsyncClient) -> SignIn:
    """`sign_in` for `browser`."""
    return sign_in_to(served_runtime, browser)


def asking(browser: httpx.AsyncClient, headers: dict[str, str], *, stream: bool = True) -> httpx.Request:
    """Return a request."""
    return browser.build_request(
        "POST", f"{AI}/completions", headers=headers, json={"prompt": "Hello", "stream": stream}
    )


async def test_pieces_arrive_as_they_are_generated(
    browser: httpx.AsyncClient, served_sign_in: SignIn, fake: FakeLLM
) -> None:
    go_on = asyncio.Event()
    fake.will(Says(hold=go_on))
    answer = await browser.send(asking(browser, await served_sign_in()), stream=True)
    chunks = answer.aiter_text()
    first = await anext(chunks)
    assert parse(first) == [("delta", {"text": TEXTS[0]})]
    assert not go_on.is_set()

    go_on.set()
    found = parse(first + "".join([chunk async for chunk in chunks]))

    assert [data["text"] for name, data in found if name == "delta"] == list(TEXTS)
    assert [name for name, _ in found[-2:]] == ["delta", "usage"]
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-accel-buffering"] == "no"
    assert "no-store" in answer.headers["cache-control"]


async def test_a_client_that_disconnects_ends_the_call(
    browser: httpx.AsyncClient, served_sign_in: SignIn, fake: FakeLLM
) -> None:
    fake.will(Says(hold=fake.never))
    answer = await browser.send(asking(browser, await served_sign_in()), stream=True)
    await anext(answer.aiter_text())
    assert not fake.left.is_set()
    await answer.aclose()

    await fake.left.wait()
    await fake.until_open(0)


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_disconnects_before_the_answer_begins_ends_the_call(
    browser: httpx.AsyncClient,
    served_sign_in: SignIn,
    fake: FakeLLM,
    stream: bool,  # noqa: FBT001
) -> None:
    fake.will(Hangs())
    headers = await served_sign_in()
    asked = asyncio.ensure_future(browser.send(asking(browser, headers, stream=stream), stream=True))
    await fake.until_open(1)
    asked.cancel()

    await fake.left.wait()
    await fake.until_open(0)


async def test_open_streams_hold_no_database_connection(
    browser: httpx.AsyncClient, served_sign_in: SignIn, served_runtime: Runtime, fake: FakeLLM
) -> None:
    go_on = asyncio.Event()
    fake.will(Says(hold=go_on))
    headers = await served_sign_in()
    asked = [asyncio.ensure_future(browser.send(asking(browser, headers), stream=True)) for _ in range(STREAMS)]
    answers = await asyncio.gather(*asked)
    # First the responses: a refused one never opens a stream.
    assert [answer.status_code for answer in answers] == [200] * STREAMS
    await fake.until_open(STREAMS)
    pool = served_runtime.database.engine.pool
    assert isinstance(pool, QueuePool)

    assert pool.checkedout() == 0
    assert (await browser.get(READY)).status_code == 200

    go_on.set()
    found = await asyncio.gather(*(answer.aread() for answer in answers))
    assert {parse(body.decode())[-1][0] for body in found} == {"usage"}


async def test_a_client_that_does_not_read_ends_the_call(
    browser: httpx.AsyncClient, served_sign_in: SignIn, fake: FakeLLM, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.will(Says(texts=["x" * 2**20] * 32))
    headers = await served_sign_in()
    answer = await browser.send(asking(browser, headers), stream=True)
    await fake.until_open(1)

    await fake.until_open(0)
    logged = capsys.readouterr().out
    assert "ai_stream_not_read" in logged
    assert "ai_answered" not in logged
    await answer.aclose()
