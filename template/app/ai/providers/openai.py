"""OpenAI and compatible servers, by the Chat Completions API (https://developers.openai.com/api/reference/chat)."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import SecretStr, ValidationError

from app.ai.port import Adapter, AIProviderSpec, Answer, Finish, Prompt, Usage
from app.ai.providers.openai_search import complete_search, stream_search
from app.ai.transport import IGNORED_IF_INVALID, Fault, Transport, Wire, open_client
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.kit.urls import ServerUrl

NAME: Final = "openai"
OFFICIAL: Final = "https://api.openai.com/v1"
SPENT: Final = frozenset({"insufficient_quota", "billing_hard_limit_reached"})
FINISHES: Final = {"length": Finish.LENGTH, "content_filter": Finish.REFUSED}


class OpenAISettings(ModuleSettings):
    """The API key and the server's URL."""

    OPENAI_BASE_URL: ServerUrl = OFFICIAL
    OPENAI_API_KEY: SecretStr = SecretStr("")

    @property
    def is_official(self) -> bool:
        """Whether the server is OpenAI's own."""
        return self.OPENAI_BASE_URL == OFFICIAL


class _Error(Wire):
    code: str | int | None = None
    type: str | None = None


class _Failure(Wire):
    error: _Error

    def to_fault(self, status: int) -> Fault:
        code = str(self.error.code or self.error.type or "") or None
        # With an exhausted budget, OpenAI answers "too many requests", but waiting doesn't help.
        return Fault(status=HTTPStatus.PAYMENT_REQUIRED if code in SPENT else status, code=code)


class _InputDetails(Wire):
    cached_tokens: int | None = None


class _Usage(Wire):
    prompt_tokens: int
    completion_tokens: int = 0
    prompt_tokens_details: Annotated[_InputDetails | None, IGNORED_IF_INVALID] = None

    def counted(self) -> Usage:
        details = self.prompt_tokens_details
        cached = (details and details.cached_tokens) or 0
        return Usage(input_tokens=self.prompt_tokens, output_tokens=self.completion_tokens, cached_tokens=cached)


class _TextPart(Wire):
    text: str = ""


class _Message(Wire):
    content: str | Sequence[_TextPart] = ""
    refusal: str = ""

    @property
    def text(self) -> str:
        # Some compatible servers send a list of parts.
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return content or self.refusal


class _Choice(Wire):
    message: _Message = _Message()
    delta: _Message = _Message()
    finish_reason: str | None = None


class _Completion(Wire):
    choices: Sequence[_Choice] = ()
    usage: Annotated[_Usage | None, IGNORED_IF_INVALID] = None
    error: _Error | None = None

    def fault(self) -> Fault | None:
        if self.error is None:
            return None
        return _Failure(error=self.error).to_fault(HTTPStatus.SERVICE_UNAVAILABLE)


class OpenAIAdapter:
    """See `Adapter`."""

    def __init__(self, transport: Transport, *, limit: str) -> None:
        self._transport = transport
        self._limit = limit

    async def complete(self, prompt: Prompt) -> Answer:
        """See `Adapter.complete`."""
        if prompt.search:
            return await complete_search(self._transport, prompt)
        answer = await self._transport.post("chat/completions", self._body(prompt), _Completion)
        if not answer.choices:
            raise self._transport.broken("no choices")
        choice = answer.choices[0]
        return _answer(choice.message.text, choice.finish_reason, choice.message.refusal, answer.usage)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """See `Adapter.stream`."""
        if prompt.search:
            async with aclosing(stream_search(self._transport, prompt)) as parts:
                async for part in parts:
                    yield part
            return
        body = {**self._body(prompt), "stream": True, "stream_options": {"include_usage": True}}
        texts: list[str] = []
        finish: str | None = None
        refusal, usage = "", None
        async with aclosing(self._transport.events("chat/completions", body, _Completion)) as events:
            async for event in events:
                usage = event.usage or usage
                for choice in event.choices:
                    finish = choice.finish_reason or finish
                    refusal = choice.delta.refusal or refusal
                    if choice.delta.text:
                        texts.append(choice.delta.text)
                        yield choice.delta.text
        if finish is None:
            raise self._transport.broken("the stream ended early")
        yield _answer("".join(texts), finish, refusal, usage)

    def _body(self, prompt: Prompt) -> dict[str, object]:
        messages = [{"role": each.role.value, "content": each.content} for each in prompt.messages]
        return {"model": prompt.model, "messages": messages, self._limit: prompt.max_tokens}


def _answer(text: str, finish: str | None, refusal: str, usage: _Usage | None) -> Answer:
    reason = Finish.REFUSED if refusal else FINISHES.get(finish or "", Finish.STOP)
    return Answer(text=text, finish=reason, usage=None if usage is None else usage.counted())


def _read_fault(status: int, content: bytes) -> Fault:
    try:
        return _Failure.model_validate_json(content).to_fault(status)
    except ValidationError:
        return Fault(status=status)


def _is_configured(settings: ModuleSettings) -> bool:
    # A compatible server may need no key.
    return isinstance(settings, OpenAISettings) and (
        bool(settings.OPENAI_API_KEY.get_secret_value()) or not settings.is_official
    )


@asynccontextmanager
async def _open(runtime: Runtime, answer_timeout: timedelta) -> AsyncIterator[Adapter]:
    settings = runtime.resource(OpenAISettings)
    key = settings.OPENAI_API_KEY.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # OpenAI's models reject the old name, and most compatible servers don't know the new one.
    limit = "max_completion_tokens" if settings.is_official else "max_tokens"
    async with open_client(settings.OPENAI_BASE_URL, headers, answer_timeout) as client:
        yield OpenAIAdapter(Transport(NAME, client, answer_timeout, _read_fault), limit=limit)


provider = AIProviderSpec(name=NAME, settings=OpenAISettings, is_configured=_is_configured, open=_open)
