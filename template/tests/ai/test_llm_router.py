"""The router: the cheapest suitable model, and failover to the next one."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from decimal import Decimal

import httpx
import pytest

from app.ai.errors import (
    AINotConfiguredError,
    AIRateLimitedError,
    AIRefusedError,
    AIUnavailableError,
    PromptTooLargeError,
)
from app.ai.gateway import Limits, LLMProvider, Providers
from app.ai.llm_router import LLMRouter
from app.ai.model_table import Complexity, Model, ModelTable
from app.ai.port import LLM, Answer, Delta, Finish, Prompt, Usage, conversation
from app.core.errors import AppError
from app.core.ports.telemetry import Telemetry
from tests.ai.requests import chat, events
from tests.fakes.llm import Fails, FakeLLM

HELLO = conversation("Hello")
USAGE = Usage(input_tokens=1, output_tokens=1)
TIERS = (Complexity.SIMPLE, Complexity.SEARCH)


class Adapter:
    """An adapter that answers with its name, or fails before or after the first piece."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.before: AppError | None = None
        self.after: AppError | None = None
        self.asked: list[Prompt] = []
        self.closed = 0

    async def complete(self, prompt: Prompt) -> Answer:
        """See `app.ai.port.Adapter.complete`."""
        self.asked.append(prompt)
        if self.before:
            raise self.before
        return Answer(text=self.name, finish=Finish.STOP, usage=USAGE)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """See `app.ai.port.Adapter.stream`."""
        try:
            answer = await self.complete(prompt)
            yield self.name
            if self.after:
                raise self.after
            yield answer
        finally:
            self.closed += 1


def row(provider: str, price: int, *tiers: Complexity) -> Model:
    """A model of the table."""
    cost = Decimal(price)
    return Model(provider=provider, name=f"{provider}-1", tiers=tiers, input=cost, cached_input=cost, output=cost)


class World:
    """Three providers, from the most to the least expensive, and a router over them."""

    def __init__(self, *, unconfigured: tuple[str, ...] = (), default: str = "dear") -> None:
        self.adapters = {name: Adapter(name) for name in ("dear", "fair", "cheap")}
        table = ModelTable(
            [row("dear", 9, *TIERS, Complexity.COMPLEX), row("fair", 5, *TIERS), row("cheap", 1, Complexity.SIMPLE)]
        )
        limits = Limits(max_tokens=100, max_prompt_length=100)
        providers = {
            name: LLMProvider(
                name,
                key=f"{name.upper()}_KEY",
                adapter=None if name in unconfigured else adapter,
                models=[f"{name}-1"],
                table=table,
                limits=limits,
                telemetry=Telemetry(),
            )
            for name, adapter in self.adapters.items()
        }
        self.providers = Providers(providers, default, table)
        self.router = LLMRouter(self.providers)

    def provider(self, name: str) -> LLMProvider:
        """One of them."""
        return self.providers.get(name)

    def asked(self) -> list[str]:
        """The providers that were called."""
        return [name for name, adapter in self.adapters.items() if adapter.asked]

    def fail(self, error: type[AIUnavailableError | AIRateLimitedError], *names: str) -> None:
        """Make these providers fail."""
        for name in names:
            self.adapters[name].before = error(name)


@pytest.fixture
def world() -> World:
    return World()


async def test_the_cheapest_suitable_model_is_called(world: World) -> None:
    assert (await world.router.complete(HELLO)).text == "cheap"
    assert (await world.router.complete(HELLO, complexity=Complexity.COMPLEX)).text == "dear"
    assert (await world.router.complete(conversation("Why?"))).text == "dear"


async def test_providers_and_the_router_have_the_same_interface(world: World) -> None:
    async def said(llm: LLM) -> list[str]:
        whole = await llm.complete(HELLO, max_tokens=5)
        parts = [part async for part in llm.stream(HELLO, max_tokens=5)]
        simple = [text async for text in llm.stream_simple("Hello", system="Be brief.")]
        assert parts == [Delta(text=whole.text), whole]
        return [whole.text, await llm.complete_simple("Hello", system="Be brief."), *simple]

    assert await said(world.router) == ["cheap"] * 3
    assert await said(world.provider("dear")) == ["dear"] * 3


async def test_searches_only_in_the_search_tier(world: World) -> None:
    await world.router.complete(HELLO)
    await world.router.complete(HELLO, complexity=Complexity.SEARCH)

    assert [prompt.search for prompt in world.adapters["cheap"].asked] == [False]
    assert [prompt.search for prompt in world.adapters["fair"].asked] == [True]


@pytest.mark.parametrize("error", [AIUnavailableError, AIRateLimitedError])
async def test_fails_over_to_the_next_model(world: World, error: type[AIUnavailableError | AIRateLimitedError]) -> None:
    world.fail(error, "cheap")
    assert (await world.router.complete(HELLO)).text == "fair"
    world.fail(error, "fair")
    assert (await world.router.complete(HELLO)).text == "dear"
    assert await world.router.complete_simple("Hello") == "dear"


async def test_the_last_error_is_raised_if_all_models_fail(world: World) -> None:
    world.fail(AIUnavailableError, "cheap", "fair")
    world.fail(AIRateLimitedError, "dear")

    with pytest.raises(AIRateLimitedError) as caught:
        await world.router.complete(HELLO)
    assert caught.value.details == {"provider": "dear"}
    with pytest.raises(AIRateLimitedError):
        await anext(world.router.stream(HELLO))


async def test_an_invalid_request_does_not_fail_over(world: World) -> None:
    world.adapters["cheap"].before = AIRefusedError("cheap", "too_long")
    with pytest.raises(AIRefusedError):
        await world.router.complete(HELLO)
    assert world.asked() == ["cheap"]

    with pytest.raises(PromptTooLargeError):
        world.router.check(conversation("x" * 101))


async def test_a_stream_that_has_not_begun_fails_over(world: World) -> None:
    world.fail(AIUnavailableError, "cheap")
    first, last = [part async for part in world.router.stream(HELLO)]

    assert first == Delta(text="fair")
    assert last == await world.router.complete(HELLO)
    assert [text async for text in world.router.stream_simple("Hello")] == ["fair"]


async def test_a_stream_that_has_begun_does_not_fail_over(world: World) -> None:
    world.adapters["cheap"].after = AIUnavailableError("cheap")
    parts = world.router.stream(HELLO)

    assert await anext(parts) == Delta(text="cheap")
    with pytest.raises(AIUnavailableError):
        await anext(parts)
    assert world.asked() == ["cheap"]


async def test_closing_a_stream_closes_the_stream_of_the_provider(world: World) -> None:
    async with aclosing(world.router.stream(HELLO)) as parts:
        await anext(parts)
        assert world.adapters["cheap"].closed == 0
    assert world.adapters["cheap"].closed == 1


async def test_a_provider_without_a_key_is_not_called() -> None:
    world = World(unconfigured=("cheap", "fair"))
    assert (await world.router.complete(HELLO)).text == "dear"


async def test_an_empty_tier_uses_the_default_model() -> None:
    world = World(default="cheap")
    assert (await world.router.complete(HELLO, complexity=Complexity.MODERATE)).text == "cheap"


async def test_without_any_key_the_setting_of_the_default_provider_is_named() -> None:
    world = World(unconfigured=("dear", "fair", "cheap"))
    with pytest.raises(AINotConfiguredError, match=r"dear is not configured\. Set DEAR_KEY"):
        world.router.check(HELLO)


@pytest.mark.usefixtures("fakes")
@pytest.mark.parametrize("tier", list(Complexity))
async def test_the_chosen_providers_stand_in_for_each_other(
    client: httpx.AsyncClient, asker: dict[str, str], fakes: dict[str, FakeLLM], tier: Complexity
) -> None:
    order: list[str] = []
    for _ in fakes:
        answer = await chat(client, asker, path="chat/routed", complexity=tier, stream=True)
        order.append(events(answer)[-1][1]["provider"])
        fakes[order[-1]].will(Fails(kind="rate_limited", retry_after=9))
    answer = await chat(client, asker, path="chat/routed", complexity=tier)

    assert sorted(order) == sorted(fakes)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "AI_RATE_LIMITED")
    assert answer.json()["error"]["details"] == {"provider": order[-1]}
    assert answer.headers["retry-after"] == "9"
