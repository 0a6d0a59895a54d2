"""Google's Gemini API (https://ai.google.dev/api/generate-content)."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final
from urllib.parse import quote

from pydantic import Field, SecretStr, ValidationError

from app.ai.port import Adapter, AIProviderSpec, Answer, Finish, Message, MessageRole, Prompt, Usage
from app.ai.transport import IGNORED_IF_INVALID, Fault, Transport, Wire, open_client
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime
from app.kit.urls import ServerUrl

NAME: Final = "gemini"
BAD_KEY: Final = "API_KEY_INVALID"
FINISHES: Final = {"STOP": Finish.STOP, "MAX_TOKENS": Finish.LENGTH}
"""All other reasons are refusals."""


class GeminiSettings(ModuleSettings):
    """The API key and the server's URL."""

    GOOGLE_API_KEY: SecretStr = SecretStr("")
    GEMINI_BASE_URL: ServerUrl = "https://generativelanguage.googleapis.com"


class _Detail(Wire):
    reason: str | None = None


class _Error(Wire):
    code: int = HTTPStatus.SERVICE_UNAVAILABLE
    status: str | None = None
    details: Sequence[_Detail] = ()

    def to_fault(self) -> Fault:
        if any(detail.reason == BAD_KEY for detail in self.details):
            # The API reports it as a bad request.
            return Fault(status=HTTPStatus.UNAUTHORIZED, code=BAD_KEY)
        return Fault(status=self.code, code=self.status)


class _Failure(Wire):
    error: _Error


class _Part(Wire):
    text: str = ""
    thought: bool = False


class _Content(Wire):
    parts: Sequence[_Part] = ()


class _Candidate(Wire):
    content: _Content = _Content()
    finish: str | None = Field(default=None, alias="finishReason")


class _Usage(Wire):
    prompt: int = Field(default=0, alias="promptTokenCount")
    tools: int = Field(default=0, alias="toolUsePromptTokenCount")
    cached: int = Field(default=0, alias="cachedContentTokenCount")
    candidates: int = Field(default=0, alias="candidatesTokenCount")
    thoughts: int = Field(default=0, alias="thoughtsTokenCount")

    def counted(self) -> Usage:
        return Usage(
            input_tokens=self.prompt + self.tools,
            cached_tokens=self.cached,
            output_tokens=self.candidates + self.thoughts,
        )


class _Feedback(Wire):
    blocked: str | None = Field(default=None, alias="blockReason")


class _Response(Wire):
    candidates: Sequence[_Candidate] = ()
    usage: Annotated[_Usage | None, IGNORED_IF_INVALID] = Field(default=None, alias="usageMetadata")
    feedback: _Feedback = Field(default=_Feedback(), alias="promptFeedback")
    error: _Error | None = None

    def fault(self) -> Fault | None:
        return self.error.to_fault() if self.error else None

    @property
    def text(self) -> str:
        parts = [part for candidate in self.candidates for part in candidate.content.parts]
        return "".join(part.text for part in parts if not part.thought)

    @property
    def finish(self) -> str | None:
        if self.feedback.blocked:
            return self.feedback.blocked
        return next((candidate.finish for candidate in self.candidates if candidate.finish), None)


class GeminiAdapter:
    """See `Adapter`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def complete(self, prompt: Prompt) -> Answer:
        """See `Adapter.complete`."""
        response = await self._transport.post(_path(prompt, "generateContent"), _body(prompt), _Response)
        if response.finish is None:
            raise self._transport.broken("no candidate")
        return _answer(response.text, response.finish, response.usage)

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """See `Adapter.stream`."""
        path = _path(prompt, "streamGenerateContent?alt=sse")
        texts: list[str] = []
        finish: str | None = None
        usage: _Usage | None = None
        async with aclosing(self._transport.events(path, _body(prompt), _Response)) as events:
            async for event in events:
                finish = event.finish or finish
                # Totals so far.
                usage = event.usage or usage
                if text := event.text:
                    texts.append(text)
                    yield text
        if finish is None:
            raise self._transport.broken("the stream ended early")
        yield _answer("".join(texts), finish, usage)


def _path(prompt: Prompt, method: str) -> str:
    return f"v1/models/{quote(prompt.model, safe='')}:{method}"


def _body(prompt: Prompt) -> dict[str, object]:
    body: dict[str, object] = {
        "contents": [_content(each) for each in prompt.turns],
        "generationConfig": {"maxOutputTokens": prompt.max_tokens},
    }
    if prompt.system is not None:
        body["systemInstruction"] = {"parts": [{"text": prompt.system}]}
    if prompt.search:
        body["tools"] = [{"googleSearch": {}}]
    return body


def _content(message: Message) -> dict[str, object]:
    return {"role": "model" if message.role is MessageRole.ASSISTANT else "user", "parts": [{"text": message.content}]}


def _answer(text: str, finish: str, usage: _Usage | None) -> Answer:
    counted = None if usage is None else usage.counted()
    return Answer(text=text, finish=FINISHES.get(finish, Finish.REFUSED), usage=counted)


def _read_fault(status: int, content: bytes) -> Fault:
    try:
        return _Failure.model_validate_json(content).error.to_fault()
    except ValidationError:
        return Fault(status=status)


def _is_configured(settings: ModuleSettings) -> bool:
    return isinstance(settings, GeminiSettings) and bool(settings.GOOGLE_API_KEY.get_secret_value())


@asynccontextmanager
async def _open(runtime: Runtime, answer_timeout: timedelta) -> AsyncIterator[Adapter]:
    settings = runtime.resource(GeminiSettings)
    # In a header rather than in the URL, which would be logged.
    headers = {"x-goog-api-key": settings.GOOGLE_API_KEY.get_secret_value()}
    async with open_client(settings.GEMINI_BASE_URL, headers, answer_timeout) as client:
        yield GeminiAdapter(Transport(NAME, client, answer_timeout, _read_fault))


provider = AIProviderSpec(name=NAME, settings=GeminiSettings, is_configured=_is_configured, open=_open)
