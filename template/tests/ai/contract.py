"""The contract of all providers. A provider's tests inherit from the class."""

from contextlib import aclosing
from decimal import Decimal

import httpx
import pytest

from app.ai.errors import (
    AINotConfiguredError,
    ModelNotAllowedError,
    PromptTooLargeError,
    TooManyTokensError,
)
from app.ai.gateway import LLMProvider, get_llm_provider
from app.ai.model_table import load_models
from app.ai.module import module
from app.ai.port import Completion, Delta, Finish, Message, MessageRole
from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.ai.conversation import CONVERSATION, SECRET, USAGE, parts_of
from tests.ai.error_contract import ErrorContract
from tests.ai.requests import events, question
from tests.fakes.llm import KEY, TEXTS, Asked, FakeLLM, Says


class ProviderContract(ErrorContract):
    """A provider answers as a whole and as a stream, counts tokens alike, and raises the port's errors."""

    async def test_completes_a_conversation(self, llm: LLMProvider, fake: FakeLLM) -> None:
        answer = await llm.complete(CONVERSATION, max_tokens=77)

        assert (answer.provider, answer.model, answer.text) == (self.case.name, llm.models[0], "".join(TEXTS))
        assert answer.finish is Finish.STOP
        assert fake.asked == [
            Asked(
                model=llm.models[0],
                system="Be brief.\n\nBe kind.",
                turns=[("user", "Hello"), ("assistant", "Hi"), ("user", SECRET)],
                max_tokens=77,
                search=False,
                stream=False,
                key=KEY,
            )
        ]

    async def test_counts_tokens(self, llm: LLMProvider) -> None:
        answer = await llm.complete(CONVERSATION)
        price = load_models().find(self.case.name, answer.model)

        assert answer.usage == USAGE
        assert answer.usage.total_tokens == 40
        assert price is not None
        assert answer.cost == (15 * price.input + 5 * price.cached_input + 20 * price.output) / Decimal(1_000_000)

    async def test_streams_the_same_answer(self, llm: LLMProvider, fake: FakeLLM) -> None:
        whole = await llm.complete(CONVERSATION)
        *deltas, last = await parts_of(llm)

        assert deltas == [Delta(text=text) for text in TEXTS]
        assert last == whole
        assert [asked.stream for asked in fake.asked] == [False, True]

    async def test_completes_simple_questions(self, llm: LLMProvider, fake: FakeLLM) -> None:
        assert await llm.complete_simple("Hello", system="Be brief.") == "".join(TEXTS)
        assert [text async for text in llm.stream_simple("Hello")] == list(TEXTS)
        assert [(asked.system, asked.turns) for asked in fake.asked] == [
            ("Be brief.", [("user", "Hello")]),
            (None, [("user", "Hello")]),
        ]

    async def test_calls_the_requested_model(self, llm: LLMProvider, fake: FakeLLM) -> None:
        for model in llm.models:
            assert (await llm.complete(CONVERSATION, model=model)).model == model
        assert [asked.model for asked in fake.asked] == list(llm.models)

    async def test_can_search_the_web(self, llm: LLMProvider, fake: FakeLLM) -> None:
        whole = await llm.complete(CONVERSATION, search=True)
        *deltas, last = [part async for part in llm.stream(CONVERSATION, search=True)]

        assert [asked.search for asked in fake.asked] == [True, True]
        assert whole == last
        assert (whole.text, whole.usage) == ("".join(TEXTS), USAGE)
        assert deltas == [Delta(text=text) for text in TEXTS]

    @pytest.mark.parametrize("finish", ["length", "refused"])
    async def test_reports_why_an_answer_ended(self, llm: LLMProvider, fake: FakeLLM, finish: str) -> None:
        fake.will(Says(finish=finish))
        last = (await parts_of(llm))[-1]

        assert (await llm.complete(CONVERSATION)).finish == finish
        assert isinstance(last, Completion)
        assert last.finish == finish

    @pytest.mark.parametrize("stream", [False, True])
    async def test_null_means_absent(self, llm: LLMProvider, fake: FakeLLM, stream: bool) -> None:  # noqa: FBT001
        fake.will(Says(nulls=True))
        whole = (await parts_of(llm))[-1] if stream else await llm.complete(CONVERSATION)

        assert isinstance(whole, Completion)
        assert (whole.text, whole.finish) == ("".join(TEXTS), Finish.STOP)

    async def test_closing_a_stream_closes_the_connection(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Says(hold=fake.never))
        async with aclosing(llm.stream(CONVERSATION)) as parts:
            assert await anext(parts) == Delta(text=TEXTS[0])

        await fake.left.wait()

    async def test_enforces_the_limits(self, llm: LLMProvider, fake: FakeLLM) -> None:
        long = [Message(role=MessageRole.USER, content="x" * (llm.limits.max_prompt_length + 1))]
        with pytest.raises(PromptTooLargeError):
            await llm.complete(long)
        with pytest.raises(TooManyTokensError):
            await llm.complete(CONVERSATION, max_tokens=llm.limits.max_tokens + 1)
        with pytest.raises(ModelNotAllowedError):
            await llm.complete(CONVERSATION, model="another")
        with pytest.raises(ValueError, match="last message"):
            await llm.complete(CONVERSATION[:-1])
        with pytest.raises(ValueError, match="before all others"):
            await llm.complete([CONVERSATION[2], CONVERSATION[0], CONVERSATION[2]])

        assert fake.asked == []

    async def test_works_over_http(self, client: httpx.AsyncClient, asker: dict[str, str], runtime: Runtime) -> None:
        whole = await question(client, asker)
        streamed = await question(client, asker, stream=True)

        assert whole.status_code == 200, whole.text
        assert whole.json()["text"] == "".join(TEXTS)
        assert whole.json()["usage"] == {
            "input_tokens": 20,
            "cached_tokens": 5,
            "output_tokens": 20,
            "total_tokens": 40,
        }
        assert streamed.headers["content-type"].startswith("text/event-stream")
        *deltas, last = events(streamed)
        assert deltas == [("delta", {"text": text}) for text in TEXTS]
        assert last == ("usage", whole.json())
        assert get_llm_provider(runtime).name == whole.json()["provider"] == self.case.name

    async def test_without_a_key_the_setting_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(self.case.key)
        monkeypatch.delenv(self.case.url)
        runtime = create_runtime([core, module])
        lifespan = module.lifespan
        assert lifespan is not None
        async with lifespan(runtime):
            llm = get_llm_provider(runtime, self.case.name)
            assert not llm.configured
            with pytest.raises(AINotConfiguredError, match=self.case.key) as caught:
                await llm.complete(CONVERSATION)
        assert caught.value.details == {"provider": self.case.name, "setting": self.case.key}

    def test_without_a_key_it_does_not_start_outside_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(self.case.key)
        monkeypatch.delenv(self.case.url)
        monkeypatch.setenv("ENVIRONMENT", "production")

        with pytest.raises(
            ConfigurationError, match=f"AI_DEFAULT_PROVIDER is {self.case.name}, and {self.case.key} is not set"
        ):
            create_runtime([core, module])
