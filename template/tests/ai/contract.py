"""The contract of all providers. A provider's tests inherit from the class."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from decimal import Decimal
from typing import ClassVar

import httpx
import pytest
from structlog.testing import capture_logs

from app.ai.errors import (
    AINotConfiguredError,
    AIRateLimitedError,
    AIRefusedError,
    AIUnavailableError,
    ModelNotAllowedError,
    PromptTooLargeError,
    TooManyTokensError,
)
from app.ai.gateway import LLMProvider, get_llm_provider
from app.ai.model_table import load_models
from app.ai.module import module
from app.ai.port import Completion, Delta, Finish, Message, MessageRole
from app.core.config.settings import ConfigurationError
from app.core.errors import AppError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.ai.conftest import ATTEMPTS
from tests.ai.conversation import CONVERSATION, SECRET, USAGE, failure_of, parts_of
from tests.ai.requests import events, question
from tests.fakes.llm import KEY, TEXTS, Asked, Case, Fails, FakeLLM, Says, Sends, serving_llm


@pytest.mark.usefixtures("configured")
class ProviderContract:
    """A provider answers as a whole and as a stream, counts tokens alike, and raises the port's errors."""

    case: ClassVar[Case]
    unreadable: ClassVar[tuple[bytes, str]]
    """A response with an unreadable field, and the field's name."""

    @pytest.fixture
    async def fake(self) -> AsyncIterator[FakeLLM]:
        """The provider's server."""
        async with serving_llm(self.case.dialect) as served:
            yield served

    @pytest.fixture
    def configured(self, environment: None, monkeypatch: pytest.MonkeyPatch, fake: FakeLLM) -> None:  # noqa: ARG002 - the order matters
        """Point the application to the server. `usefixtures` runs it before the application is created."""
        monkeypatch.setenv("AI_DEFAULT_PROVIDER", self.case.name)
        for name, value in self.case.settings(fake).items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def llm(self, runtime: Runtime) -> LLMProvider:
        """The provider."""
        return get_llm_provider(runtime, self.case.name)

    async def test_answers_a_conversation(self, llm: LLMProvider, fake: FakeLLM) -> None:
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

    async def test_answers_simple_questions(self, llm: LLMProvider, fake: FakeLLM) -> None:
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

    async def test_may_search_the_web(self, llm: LLMProvider, fake: FakeLLM) -> None:
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
    async def test_retries_transient_errors(self, llm: LLMProvider, fake: FakeLLM, stream: bool) -> None:  # noqa: FBT001
        fake.will(Fails(kind="overloaded"), Fails(kind="rate_limited", retry_after=1), Says())
        last = (await parts_of(llm))[-1] if stream else await llm.complete(CONVERSATION)

        assert isinstance(last, Completion)
        assert last.text == "".join(TEXTS)
        assert len(fake.asked) == ATTEMPTS

    @pytest.mark.parametrize("stream", [False, True])
    async def test_gives_up_after_the_last_attempt(self, llm: LLMProvider, fake: FakeLLM, stream: bool) -> None:  # noqa: FBT001
        fake.will(Fails(kind="overloaded"))
        assert isinstance(await failure_of(llm, stream=stream), AIUnavailableError)
        assert len(fake.asked) == ATTEMPTS

    @pytest.mark.parametrize("kind", ["overloaded", "rate_limited"])
    async def test_does_not_wait_for_a_long_retry_after(self, llm: LLMProvider, fake: FakeLLM, kind: str) -> None:
        fake.will(Fails(kind=kind, retry_after=6))
        error = await failure_of(llm, stream=False)

        assert error.headers == {"Retry-After": "6"}
        assert len(fake.asked) == 1

    async def test_reports_a_rate_limit(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Fails(kind="rate_limited", retry_after=7))
        error = await failure_of(llm, stream=True)

        assert isinstance(error, AIRateLimitedError)
        assert error.headers == {"Retry-After": "7"}

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("spent", AIUnavailableError),
            ("key", AIUnavailableError),
            ("no_model", AIUnavailableError),
            ("invalid", AIRefusedError),
        ],
    )
    async def test_does_not_retry_permanent_errors(
        self,
        llm: LLMProvider,
        fake: FakeLLM,
        kind: str,
        expected: type[AppError],
        stream: bool,  # noqa: FBT001
    ) -> None:
        fake.will(Fails(kind=kind))

        assert isinstance(await failure_of(llm, stream=stream), expected)
        assert len(fake.asked) == 1

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        "sent",
        [
            Sends(body=b"<html>Bad gateway</html>", status=502, content_type="text/html"),
            Sends(body=b"secret words"),
            Sends(body=b"{}"),
            Sends(body=b"data: secret words\n\n", content_type="text/event-stream"),
            Sends(body=b"data: \xff\n\n", content_type="text/event-stream"),
            Sends(body=b""),
        ],
    )
    async def test_recognises_unusable_responses(
        self,
        llm: LLMProvider,
        fake: FakeLLM,
        sent: Sends,
        stream: bool,  # noqa: FBT001
    ) -> None:
        fake.will(sent)

        assert isinstance(await failure_of(llm, stream=stream), AIUnavailableError)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_null_means_absent(self, llm: LLMProvider, fake: FakeLLM, stream: bool) -> None:  # noqa: FBT001
        fake.will(Says(nulls=True))
        whole = (await parts_of(llm))[-1] if stream else await llm.complete(CONVERSATION)

        assert isinstance(whole, Completion)
        assert (whole.text, whole.finish) == ("".join(TEXTS), Finish.STOP)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_names_an_unreadable_field_in_the_log(
        self,
        llm: LLMProvider,
        fake: FakeLLM,
        stream: bool,  # noqa: FBT001
    ) -> None:
        body, field = self.unreadable
        event = b"data: " + body + b"\n\n"
        fake.will(Sends(body=event, content_type="text/event-stream") if stream else Sends(body=body))
        with capture_logs() as logs, pytest.raises(AIUnavailableError):
            await (parts_of(llm) if stream else llm.complete(CONVERSATION))

        (line,) = [log for log in logs if log["event"] == "ai_answer_broken"][:1]
        assert [name.partition(":")[0] for name in line["fields"]] == [field]
        assert "secret words" not in str(logs)

    @pytest.mark.parametrize("says", [Says(cut=True), Says(fails=True)])
    async def test_a_stream_that_breaks_off_is_an_error_and_not_retried(
        self, llm: LLMProvider, fake: FakeLLM, says: Says
    ) -> None:
        fake.will(says)
        parts = llm.stream_simple("Hello")

        assert [await anext(parts) for _ in TEXTS] == list(TEXTS)
        with pytest.raises(AIUnavailableError):
            await anext(parts)
        assert len(fake.asked) == 1

    async def test_closing_a_stream_closes_the_connection(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Says(hold=fake.never))
        async with aclosing(llm.stream(CONVERSATION)) as parts:
            assert await anext(parts) == Delta(text=TEXTS[0])

        await fake.left.wait()

    async def test_is_not_called_while_it_is_down(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Fails(kind="overloaded"))
        for stream in (False, True):
            await failure_of(llm, stream=stream)
        asked = len(fake.asked)
        fake.will(Says())

        assert isinstance(await failure_of(llm, stream=False), AIUnavailableError)
        assert isinstance(await failure_of(llm, stream=True), AIUnavailableError)
        assert len(fake.asked) == asked

    async def test_an_unreachable_server_is_unavailable(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.stop()

        assert isinstance(await failure_of(llm, stream=False), AIUnavailableError)
        assert isinstance(await failure_of(llm, stream=True), AIUnavailableError)

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

    async def test_answers_over_http(self, client: httpx.AsyncClient, asker: dict[str, str], runtime: Runtime) -> None:
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

    async def test_reports_errors_over_http(
        self, client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM
    ) -> None:
        fake.will(Fails(kind="rate_limited", retry_after=7))
        before = await question(client, asker, stream=True)
        fake.will(Says(fails=True))
        amid = events(await question(client, asker, stream=True))

        assert (before.status_code, before.json()["error"]["code"]) == (503, "AI_RATE_LIMITED")
        assert before.headers["retry-after"] == "7"
        assert [name for name, _ in amid] == ["delta"] * len(TEXTS) + ["error"]
        assert amid[-1][1]["error"]["code"] == "AI_UNAVAILABLE"
        assert len(amid[-1][1]["error"]["request_id"]) > 8

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
