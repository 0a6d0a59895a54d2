"""Anthropic, by the Messages API (https://platform.claude.com/docs/en/api/messages)."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import SecretStr, ValidationError

from app.ai.port import Adapter, AIProviderSpec, Answer, Finish, Prompt, Usage
from app.ai.transport import IGNORED_IF_INVALID, Fault, Transport, Wire, open_client
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.kit.urls import ServerUrl

NAME: Final = "anthropic"
VERSION: Final = "2026-10-21"
PATH: Final = "v1/messages"
FINISHES: Final = {
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "pause_turn": Finish.LENGTH,
    "refusal": Finish.REFUSED,
}
SEARCH: Final = {"type": "web_search_20250305", "name": "web_search", "max_uses": 5}
# The statuses of errors in the middle of a stream.
STATUSES: Final = {
    "rate_limit_error": HTTPStatus.TOO_MANY_REQUESTS,
    "invalid_request_error": HTTPStatus.BAD_REQUEST,
}


class AnthropicSettings(ModuleSettings):
    """The API key and the server's URL."""

    ANTHROPIC_API_KEY: SecretStr = SecretStr("")
    ANTHROPIC_BASE_URL: ServerUrl = "https://api.anthropic.com"


class _Error(Wire):
    type: str | None = None


class _Failure(Wire):
    error: _Error


class _Block(Wire):
    type: str = ""
    text: str = ""


class _Usage(Wire):
    # Without the tokens that were read from or written to the cache.
    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    output_tokens: int = 0


class _Message(Wire):
    type: str
    content: Sequence[_Block] = ()
    stop_reason: str | None = None
    usage: Annotated[_Usage | None, IGNORED_IF_INVALID] = None


class _Delta(Wire):
    type: str | None = None
    text: str = ""
    stop_reason: str | None = None


class _Event(Wire):
    type: str
    message: _Message | None = None
    delta: _Delta = _Delta()
    usage: Annotated[_Usage | None, IGNORED_IF_INVALID] = None
    error: _Error | None = None

    def fault(self) -> Fault | None:
        if self.error is None:
            return None
        code = self.error.type
        return Fault(status=STATUSES.get(code or "", HTTPStatus.SERVICE_UNAVAILABLE), code=code)


class AnthropicAdapter:
    """See `Adapter`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def complete(self, prompt: Prompt) -> Answer:
        """See `Adapter.complete`."""
        message = await self._transport.post(PATH, _body(prompt), _Message)
        text = "".join(block.text for block in message.content if block.type == "text")
        return _answer(text, message.stop_reason, message.usage, message.usage.output_tokens if message.usage else 0)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """See `Adapter.stream`."""
        texts: list[str] = []
        finish: str | None = None
        read: _Usage | None = None
        written = 0
        async with aclosing(self._transport.events(PATH, {**_body(prompt), "stream": True}, _Event)) as events:
            async for event in events:
                if event.message is not None:
                    read = event.message.usage or read
                if event.usage is not None:
                    # Totals so far. The input is repeated if a web search has added to it.
                    written = event.usage.output_tokens
                    read = event.usage if event.usage.input_tokens is not None else read
                finish = event.delta.stop_reason or finish
                if event.delta.type == "text_delta" and event.delta.text:
                    texts.append(event.delta.text)
                    yield event.delta.text
        if finish is None:
            raise self._transport.broken("the stream ended early")
        yield _answer("".join(texts), finish, read, written)


def _body(prompt: Prompt) -> dict[str, object]:
    body: dict[str, object] = {
        "model": prompt.model,
        "max_tokens": prompt.max_tokens,
        "messages": [{"role": each.role.value, "content": each.content} for each in prompt.turns],
    }
    if prompt.system is not None:
        body["system"] = prompt.system
    if prompt.search:
        body["tools"] = [SEARCH]
    return body


def _answer(text: str, finish: str | None, read: _Usage | None, written: int) -> Answer:
    usage = None
    if read is not None:
        cached = read.cache_read_input_tokens or 0
        all_read = (read.input_tokens or 0) + cached + (read.cache_creation_input_tokens or 0)
        usage = Usage(input_tokens=all_read, cached_tokens=cached, output_tokens=written)
    return Answer(text=text, finish=FINISHES.get(finish or "", Finish.STOP), usage=usage)


def _read_fault(status: int, content: bytes) -> Fault:
    try:
        code = _Failure.model_validate_json(content).error.type
    except ValidationError:
        code = None
    return Fault(status=status, code=code)


def _is_configured(settings: ModuleSettings) -> bool:
    return isinstance(settings, AnthropicSettings) and bool(settings.ANTHROPIC_API_KEY.get_secret_value())


@asynccontextmanager
async def _open(runtime: Runtime, answer_timeout: timedelta) -> AsyncIterator[Adapter]:
    settings = runtime.resource(AnthropicSettings)
    headers = {"x-api-key": settings.ANTHROPIC_API_KEY.get_secret_value(), "anthropic-version": VERSION}
    async with open_client(settings.ANTHROPIC_BASE_URL, headers, answer_timeout) as client:
        yield AnthropicAdapter(Transport(NAME, client, answer_timeout, _read_fault))


provider = AIProviderSpec(name=NAME, settings=AnthropicSettings, is_configured=_is_configured, open=_open)
