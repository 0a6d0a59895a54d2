"""OpenAI and compatible servers."""

from datetime import timedelta

import pytest

from app.ai.gateway import LLMProvider
from app.ai.port import Finish, Prompt, Usage, conversation
from app.ai.providers.openai import OFFICIAL, OpenAIAdapter, OpenAISettings, provider
from app.ai.settings import AISettings
from app.ai.transport import Fault, Transport, open_client
from tests.ai.contract import ProviderContract
from tests.ai.conversation import CONVERSATION, parts_of
from tests.fakes.llm import FakeLLM, Sends
from tests.fakes.openai import CASE

WITHOUT_USAGE = b"""data: {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}

"""


class TestOpenAI(ProviderContract):
    case = CASE
    unreadable = (b'{"choices": "secret words"}', "choices")

    async def test_the_server_of_openai_gets_the_new_name_of_the_limit(self, fake: FakeLLM) -> None:
        seconds = timedelta(seconds=5)
        async with open_client(f"{fake.url}/v1", {}, seconds) as client:
            transport = Transport("openai", client, seconds, lambda status, _: Fault(status=status))
            adapter = OpenAIAdapter(transport, limit="max_completion_tokens")
            await adapter.complete(Prompt(model="m", messages=conversation("Hello"), max_tokens=7))
        assert [(asked.max_tokens, asked.key) for asked in fake.asked] == [(7, None)]

    async def test_accepts_text_as_a_list_of_parts(self, llm: LLMProvider, fake: FakeLLM) -> None:
        parts = b'[{"type": "text", "text": "Hi"}, null, {"type": "text", "text": "!"}]'
        fake.will(Sends(body=b'{"choices": [{"message": {"content": %s}, "finish_reason": "stop"}]}' % parts))

        assert (await llm.complete(CONVERSATION)).text == "Hi!"

    async def test_invalid_token_counts_are_ignored(self, llm: LLMProvider, fake: FakeLLM) -> None:
        choice = b'{"choices": [{"message": {"content": "Hi"}, "finish_reason": "stop"}], "usage": "many"}'
        fake.will(Sends(body=choice))
        answer = await llm.complete(CONVERSATION)

        assert (answer.text, answer.usage) == ("Hi", None)

    async def test_a_compatible_server_may_report_no_usage(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Sends(body=WITHOUT_USAGE, content_type="text/event-stream"))
        *_, last = await parts_of(llm)

        assert (getattr(last, "text", ""), getattr(last, "usage", ""), getattr(last, "cost", "")) == ("Hi", None, None)

    @pytest.mark.parametrize("search", [False, True])
    async def test_a_refusal_is_reported(self, llm: LLMProvider, fake: FakeLLM, search: bool) -> None:  # noqa: FBT001
        refusal = b'{"type": "refusal", "refusal": "No."}'
        responses = b'{"status": "completed", "output": [{"type": "message", "content": [%s]}]}' % refusal
        chat = b'{"choices": [{"message": {"content": null, "refusal": "No."}, "finish_reason": "stop"}]}'
        fake.will(Sends(body=responses if search else chat))
        answer = await llm.complete(CONVERSATION, search=search)

        assert (answer.text, answer.finish) == ("No.", Finish.REFUSED)

    async def test_an_answer_with_search_may_end_early(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(
            Sends(
                body=b"""{"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": [],
                "usage": {"input_tokens": 3, "output_tokens": 4}}"""
            )
        )
        answer = await llm.complete(CONVERSATION, search=True)

        assert (answer.finish, answer.usage) == (Finish.LENGTH, Usage(input_tokens=3, output_tokens=4))


class TestSettings:
    def test_openai_is_the_default_server(self) -> None:
        settings = OpenAISettings()
        assert settings.OPENAI_BASE_URL == OFFICIAL
        assert settings.is_official
        assert not provider.is_configured(settings)

    def test_a_compatible_server_needs_no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1/")
        monkeypatch.setenv("AI_DEFAULT_PROVIDER", provider.name)
        monkeypatch.setenv("ENVIRONMENT", "production")

        assert OpenAISettings().OPENAI_BASE_URL == "http://127.0.0.1:11434/v1"
        assert provider.is_configured(OpenAISettings())
        assert AISettings().AI_DEFAULT_PROVIDER == "openai"
