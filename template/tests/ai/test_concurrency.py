"""Limits of a user's answers in progress."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete, update
from starlette.requests import Request

from app.ai.errors import AITimeoutError
from app.ai.gateway import LLMProvider
from app.ai.service import AnswerLimits, AnswerService
from app.core.errors import UnauthorizedError
from app.core.runtime import Runtime
from app.users.caller_sources import CallerSources
from app.users.errors import AccountDeactivatedError
from app.users.models import User
from tests.ai.conversation import CONVERSATION
from tests.ai.requests import code, events, question
from tests.conftest import ME, SignIn
from tests.fakes.llm import Fails, FakeLLM, Hangs, Says

LIMIT = 2

# Before any application is started: it calls the fakes.
pytestmark = pytest.mark.usefixtures("fakes")


@pytest.fixture(autouse=True)
def limit(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    """A small limit."""
    monkeypatch.setenv("AI_MAX_CONCURRENT_ANSWERS", str(LIMIT))


@pytest.fixture
async def answers(
    llm: LLMProvider, runtime: Runtime, client: httpx.AsyncClient, asker: dict[str, str]
) -> AnswerService:
    """The service of a user whose client stays connected."""
    assert llm.configured

    async def receive() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    user = UUID((await client.get(ME, headers=asker)).json()["id"])
    limits = AnswerLimits(max_concurrent=LIMIT, total_timeout=timedelta(milliseconds=100))
    return AnswerService(Request({"type": "http", "headers": []}, receive), runtime, user, limits)


async def in_progress(client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM) -> list[asyncio.Task[object]]:
    """Start as many answers as are allowed, streams and others."""
    fake.will(Hangs())
    asked = [asyncio.ensure_future(question(client, asker, stream=bool(n % 2))) for n in range(LIMIT)]
    await fake.until_open(LIMIT)
    return list(asked)


async def end(asked: list[asyncio.Task[object]]) -> None:
    """Disconnect all clients."""
    for task in asked:
        task.cancel()
    await asyncio.wait(asked)


@pytest.mark.parametrize("stream", [False, True])
async def test_no_more_than_the_limit(
    live_client: httpx.AsyncClient,
    live_sign_in: SignIn,
    fake: FakeLLM,
    stream: bool,  # noqa: FBT001
) -> None:
    asker, other = await live_sign_in(), await live_sign_in(email="other@example.com")
    asked = await in_progress(live_client, asker, fake)
    fake.will(Says())
    refused = await question(live_client, asker, stream=stream)

    assert code(refused) == (429, "AI_CONCURRENCY_LIMIT")
    assert refused.json()["error"]["details"] == {"limit": LIMIT}
    assert (await question(live_client, other, stream=stream)).status_code == 200

    await end(asked)
    assert (await question(live_client, asker, stream=stream)).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_an_ended_answer_no_longer_counts(
    client: httpx.AsyncClient,
    asker: dict[str, str],
    fake: FakeLLM,
    stream: bool,  # noqa: FBT001
) -> None:
    for behaviour in (Says(), Fails(kind="invalid"), Says(cut=True)) * LIMIT:
        fake.will(behaviour)
        assert code_of(await question(client, asker, stream=stream)) != "AI_CONCURRENCY_LIMIT"


def code_of(answer: httpx.Response) -> str | None:
    """Return the code of an error."""
    return None if answer.is_success else code(answer)[1]


async def test_an_answer_has_a_total_timeout(answers: AnswerService, llm: LLMProvider, fake: FakeLLM) -> None:
    fake.will(Hangs())
    for _ in range(LIMIT + 1):
        with pytest.raises(AITimeoutError):
            await answers.complete(lambda: llm.complete(CONVERSATION))
        with pytest.raises(AITimeoutError):
            await answers.stream(lambda: llm.stream(CONVERSATION))


async def test_a_deactivated_or_deleted_user_has_no_access(
    answers: AnswerService, llm: LLMProvider, runtime: Runtime
) -> None:
    answer = await answers.stream(lambda: llm.stream(CONVERSATION))
    await answer.check_access()

    for change in (update(User).values(is_active=False), delete(User)):
        async with runtime.database.transaction() as session:
            await session.execute(change)
        with pytest.raises(AccountDeactivatedError):
            await answer.check_access()
    await answer.rest.aclose()
    await answer.release()


async def test_an_ended_impersonation_has_no_access(
    answers: AnswerService, llm: LLMProvider, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: set[UUID] = set()

    async def ended_of(_runtime: Runtime, ids: Collection[UUID]) -> frozenset[UUID]:
        return frozenset(ended.intersection(ids))

    monkeypatch.setattr(runtime.resource(CallerSources), "find_ended", ended_of)
    impersonation_id = uuid4()
    answer = await replace(answers, impersonation_id=impersonation_id).stream(lambda: llm.stream(CONVERSATION))
    await answer.check_access()

    ended.add(impersonation_id)

    with pytest.raises(UnauthorizedError):
        await answer.check_access()
    await answer.rest.aclose()
    await answer.release()


async def test_a_stream_counts_until_it_ends(client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM) -> None:
    fake.will(Says())
    for _ in range(LIMIT + 1):
        assert events(await question(client, asker, stream=True))[-1][0] == "usage"
