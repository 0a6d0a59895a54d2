"""The AI gateway: language models of the chosen providers behind one port, for users and for other modules."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from app.ai.model_table import ModelTable, load_models
from app.ai.providers.registry import PROVIDERS
from app.ai.routes import router
from app.ai.service import Limits, LLMProvider, Providers
from app.ai.settings import AISettings
from app.core.manifest import Module
from app.core.runtime import Runtime


def _models(name: str, table: ModelTable, settings: AISettings) -> list[str]:
    """The models of a provider that may be asked, the default one first."""
    is_default = name == settings.AI_DEFAULT_PROVIDER
    first = (is_default and settings.AI_DEFAULT_MODEL) or table.default_of(name)
    known = list(dict.fromkeys([first, *table.names_of(name)]))
    allowed = settings.AI_ALLOWED_MODELS
    if not allowed:
        return known
    # What the table does not know can only be meant for the default provider, such as a server of one's own.
    others = [model for model in allowed if is_default and table.provider_of(model) is None]
    return list(dict.fromkeys(model for model in (*known, *others) if model in allowed))


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings, table = runtime.resource(AISettings), load_models()
    limits = Limits(max_tokens=settings.AI_MAX_TOKENS, max_prompt_length=settings.AI_MAX_PROMPT_LENGTH)
    timeout = timedelta(seconds=settings.AI_TIMEOUT_SECONDS)
    async with AsyncExitStack() as stack:
        providers = {}
        for piece in PROVIDERS:
            configured = piece.is_configured(runtime.resource(piece.settings))
            adapter = await stack.enter_async_context(piece.open(runtime, timeout)) if configured else None
            models = _models(piece.name, table, settings)
            providers[piece.name] = LLMProvider(
                piece.name, key=piece.key, adapter=adapter, models=models, table=table, limits=limits
            )
        runtime.provide(Providers, Providers(providers, settings.AI_DEFAULT_PROVIDER, table))
        yield


module = Module(
    name="ai",
    router=router,
    settings=(AISettings, *(provider.settings for provider in PROVIDERS)),
    lifespan=_lifespan,
)
