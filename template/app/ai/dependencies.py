"""FastAPI dependencies: `async def ask(llm: LLMProviderDep) -> …`."""

from typing import Annotated

from fastapi import Depends, Request

from app.ai.gateway import LLMProvider, Providers, get_llm_provider
from app.ai.llm_router import LLMRouter, get_llm_router
from app.ai.service import AnswerLimits, AnswerService
from app.ai.settings import AISettings
from app.core.http.dependencies import RuntimeDep
from app.users.dependencies import CurrentUser


async def providers(runtime: RuntimeDep) -> Providers:
    """Return the chosen providers."""
    return runtime.resource(Providers)


async def llm_provider(runtime: RuntimeDep) -> LLMProvider:
    """Return the default provider."""
    return get_llm_provider(runtime)


async def llm_router(runtime: RuntimeDep) -> LLMRouter:
    """Return the router over the chosen providers."""
    return get_llm_router(runtime)


async def answer_service(request: Request, runtime: RuntimeDep, user: CurrentUser) -> AnswerService:
    """Return the service for the current user's request."""
    limits = AnswerLimits.of(runtime.resource(AISettings))
    return AnswerService(request, runtime, user.id, limits, user.impersonation_id)


ProvidersDep = Annotated[Providers, Depends(providers)]
LLMProviderDep = Annotated[LLMProvider, Depends(llm_provider)]
LLMRouterDep = Annotated[LLMRouter, Depends(llm_router)]
AnswerServiceDep = Annotated[AnswerService, Depends(answer_service)]
