"""What users can ask language models."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from app.ai.gateway import Gateway
from app.ai.llm_router import LLMRouterDep
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
from app.ai.service import Providers, ProvidersDep
from app.ai.settings import AISettings
from app.ai.sse import EventStream
from app.core.http.dependencies import RuntimeDep
from app.core.http.rate_limit import RateLimit
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/ai")

LIMITED: Final = [Depends(RateLimit(lambda runtime: runtime.resource(AISettings).RATE_LIMIT_AI, name="ai"))]
STREAMS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": CompletionRead,
        "description": "The answer; with `stream`, events `delta`, at last `usage`, or `error` where it breaks off.",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


async def own_gateway(request: Request, runtime: RuntimeDep, user: CurrentUser) -> Gateway:
    """What the caller asks."""
    return Gateway(request, runtime, user.id)


GatewayDep = Annotated[Gateway, Depends(own_gateway)]


@router.get("/status")
async def read_status(runtime: RuntimeDep, providers: ProvidersDep, llm_router: LLMRouterDep) -> Status:
    """Answers who can be asked, which providers still need a key, and how much may be asked."""
    default = providers.default
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
            rate=runtime.resource(AISettings).RATE_LIMIT_AI,
        ),
    )


@router.post("/completions", response_model=CompletionRead, responses=STREAMS, dependencies=LIMITED)
async def complete(gateway: GatewayDep, providers: ProvidersDep, data: CompletionRequest) -> object:
    """Answers one question, whole or as a stream."""
    return await _ask(gateway, providers, data.conversation, data)


@router.post("/chat", response_model=CompletionRead, responses=STREAMS, dependencies=LIMITED)
async def chat(gateway: GatewayDep, providers: ProvidersDep, data: ChatRequest) -> object:
    """Answers the last message of a conversation, whole or as a stream."""
    return await _ask(gateway, providers, data.conversation, data)


@router.post("/chat/routed", response_model=CompletionRead, responses=STREAMS, dependencies=LIMITED)
async def chat_routed(gateway: GatewayDep, llm_router: LLMRouterDep, data: RoutedChatRequest) -> object:
    """The same by the cheapest model that is good enough, or the next one when it does not answer."""
    messages, complexity, tokens = data.conversation, data.complexity, data.max_tokens
    llm_router.check(messages, complexity=complexity, max_tokens=tokens)
    if data.stream:
        begun = await gateway.stream(lambda: llm_router.stream(messages, complexity=complexity, max_tokens=tokens))
        return EventStream(begun)
    completion = await gateway.complete(lambda: llm_router.complete(messages, complexity=complexity, max_tokens=tokens))
    return CompletionRead.of(completion)


async def _ask(gateway: Gateway, providers: Providers, messages: Sequence[Message], data: Choice) -> object:
    llm, model, tokens = providers.get(data.provider, data.model), data.model, data.max_tokens
    llm.check(messages, model=model, max_tokens=tokens)
    if data.stream:
        return EventStream(await gateway.stream(lambda: llm.stream(messages, model=model, max_tokens=tokens)))
    return CompletionRead.of(await gateway.complete(lambda: llm.complete(messages, model=model, max_tokens=tokens)))
