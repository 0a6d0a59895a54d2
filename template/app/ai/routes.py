"""Routes for requests to language models."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Depends

from app.ai.dependencies import AnswerServiceDep, LLMRouterDep, ProvidersDep
from app.ai.gateway import Providers
from app.ai.model_table import Complexity
from app.ai.port import Message
from app.ai.schemas import (
    ChatRequest,
    Choice,
    CompletionRead,
    CompletionRequest,
    LimitsRead,
    ProviderStatus,
    RoutedChatRequest,
    Status,
)
from app.ai.service import AnswerService, StartedAnswer
from app.ai.settings import AISettings
from app.ai.sse import EventStream, StreamTiming
from app.core.http.dependencies import RuntimeDep
from app.core.http.rate_limit import RateLimit

router = APIRouter(prefix="/ai")

LIMITED: Final = [Depends(RateLimit(lambda runtime: runtime.resource(AISettings).RATE_LIMIT_AI, name="ai"))]
STREAMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": CompletionRead,
        "description": "The answer. With `stream`, server-sent events: `delta` for each piece of text, then `usage`, "
        "or `error` if the answer breaks off.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.get("/status")
async def read_status(runtime: RuntimeDep, providers: ProvidersDep, llm_router: LLMRouterDep) -> Status:
    """Return the available models and the limits."""
    default, settings = providers.default, runtime.resource(AISettings)
    return Status(
        default_provider=default.name,
        default_model=next(iter(default.models), None),
        providers=[
            ProviderStatus(name=each.name, configured=each.configured, setting=each.key, models=list(each.models))
            for each in providers.by_name.values()
        ],
        tiers={tier: [model for _, model in llm_router.candidates(tier)] for tier in Complexity},
        limits=LimitsRead(
            max_tokens=default.limits.max_tokens,
            max_prompt_length=default.limits.max_prompt_length,
            max_concurrent_answers=settings.AI_MAX_CONCURRENT_ANSWERS,
            rate=settings.RATE_LIMIT_AI,
        ),
    )


@router.post("/completions", response_model=CompletionRead, responses=STREAMS, dependencies=LIMITED)
async def complete(answers: AnswerServiceDep, providers: ProvidersDep, data: CompletionRequest) -> object:
    """Answer a single prompt, as a whole or as a stream."""
    return await _ask(answers, providers, data.conversation, data)


@router.post("/chat", response_model=CompletionRead, responses=STREAMS, dependencies=LIMITED)
async def chat(answers: AnswerServiceDep, providers: ProvidersDep, data: ChatRequest) -> object:
    """Answer a conversation, as a whole or as a stream."""
    return await _ask(answers, providers, data.conversation, data)


@router.post("/chat/routed", response_model=CompletionRead, responses=STREAMS, dependencies=LIMITED)
async def chat_routed(answers: AnswerServiceDep, llm_router: LLMRouterDep, data: RoutedChatRequest) -> object:
    """Answer a conversation with the cheapest suitable model.

    If that model doesn't respond, the next one answers.
    """
    messages, complexity, tokens = data.conversation, data.complexity, data.max_tokens
    llm_router.check(messages, complexity=complexity, max_tokens=tokens)
    if data.stream:
        return _stream(
            answers,
            await answers.stream(lambda: llm_router.stream(messages, complexity=complexity, max_tokens=tokens)),
        )
    completion = await answers.complete(lambda: llm_router.complete(messages, complexity=complexity, max_tokens=tokens))
    return CompletionRead.of(completion)


async def _ask(answers: AnswerService, providers: Providers, messages: Sequence[Message], data: Choice) -> object:
    llm, model, tokens = providers.get(data.provider, data.model), data.model, data.max_tokens
    llm.check(messages, model=model, max_tokens=tokens)
    if data.stream:
        return _stream(answers, await answers.stream(lambda: llm.stream(messages, model=model, max_tokens=tokens)))
    return CompletionRead.of(await answers.complete(lambda: llm.complete(messages, model=model, max_tokens=tokens)))


def _stream(answers: AnswerService, answer: StartedAnswer) -> EventStream:
    write_timeout = answers.runtime.resource(AISettings).AI_WRITE_TIMEOUT_SECONDS
    return EventStream(answer, StreamTiming(write_timeout=write_timeout))
