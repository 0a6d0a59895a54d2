"""The AI gateway: language models of the chosen providers behind one port, for users and for other modules."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from app.ai.gateway import Limits, LLMProvider, Providers
from app.ai.model_table import ModelTable, load_models
from app.ai.port import AIProviderSpec
from app.ai.routes import router
from app.ai.settings import PROVIDERS, AISettings
from app.core.manifest import Module
from app.core.ports.operations import AICall
from app.core.runtime import Runtime


def _models(spec: AIProviderSpec, table: ModelTable, settings: AISettings) -> list[str]:
    """Return the allowed models of a provider, its default first."""
    is_default = spec.name == settings.AI_DEFAULT_PROVIDER
    first = (is_default and settings.AI_DEFAULT_MODEL) or table.default_of(spec.name)
    known = list(dict.fromkeys([first, *table.names_of(spec.name)]))
    allowed = settings.AI_ALLOWED_MODELS
    if not allowed or spec.local_only:
        return known
    # Models that are not in the table, such as those of a compatible server, belong to the default provider.
    others = [model for model in allowed if is_default and table.provider_of(model) is None]
    return list(dict.fromkeys(model for model in (*known, *others) if model in allowed))


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings, table = runtime.resource(AISettings), load_models()
    limits = Limits(max_tokens=settings.AI_MAX_TOKENS, max_prompt_length=settings.AI_MAX_PROMPT_LENGTH)
    timeout = timedelta(seconds=settings.AI_TIMEOUT_SECONDS)
    async with AsyncExitStack() as stack:
        providers = {}
        for spec in PROVIDERS:
            if spec.local_only and not settings.is_local:
                continue
            configured = spec.is_configured(runtime.resource(spec.settings))
            adapter = await stack.enter_async_context(spec.open(runtime, timeout)) if configured else None
            models = _models(spec, table, settings)
            if configured:
                names = (AICall(provider=spec.name, model=model, streamed=False) for model in models)
                runtime.telemetry.expect(*names)
            providers[spec.name] = LLMProvider(
                spec.name,
                key=spec.key,
                adapter=adapter,
                models=models,
                table=table,
                limits=limits,
                telemetry=runtime.telemetry,
            )
        runtime.provide(Providers, Providers(providers, settings.AI_DEFAULT_PROVIDER, table))
        yield


module = Module(
    name="ai",
    router=router,
    settings=(AISettings, *(provider.settings for provider in PROVIDERS)),
    lifespan=_lifespan,
)
