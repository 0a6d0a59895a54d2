"""The router: calls the cheapest suitable model, and fails over to the next one."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

import structlog

from app.ai.complexity import complexity_of
from app.ai.errors import AIRateLimitedError, AIUnavailableError
from app.ai.gateway import LLMProvider, Providers
from app.ai.model_table import Complexity
from app.ai.port import LLM, Completion, Message, Part
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

FAILOVER_ERRORS: Final = (AIUnavailableError, AIRateLimitedError)
"""Errors that trigger failover to the next model."""


class LLMRouter(LLM):
    """A router over the chosen providers. Get it with `get_llm_router(runtime)`, or with `llm_router: LLMRouterDep`.

    All methods except the simple ones also take the complexity of the question.
    """

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def candidates(self, complexity: Complexity) -> Sequence[tuple[LLMProvider, str]]:
        """Return the models to call, in that order: the allowed and configured models of the tier, cheapest first.

        If there are none, return the default model.
        """
        found = [
            (provider, model.name)
            for model in self._providers.table.tier(complexity)
            if (provider := self._providers.by_name.get(model.provider)) is not None
            and provider.configured
            and model.name in provider.models
        ]
        default = self._providers.default
        return found or [(default, next(iter(default.models), ""))]

    def check(
        self, messages: Sequence[Message], *, complexity: Complexity | None = None, max_tokens: int | None = None
    ) -> None:
        """Raise the errors that `complete` would raise before it calls a provider."""
        for provider, model in self.candidates(complexity or complexity_of(messages)):
            provider.check(messages, model=model, max_tokens=max_tokens)

    async def complete(
        self, messages: Sequence[Message], *, complexity: Complexity | None = None, max_tokens: int | None = None
    ) -> Completion:
        """See `LLM.complete`.

        Args:
            complexity: of the question; estimated by default.
        """
        for attempt in self._attempts(messages, complexity):
            with attempt:
                return await attempt.provider.complete(
                    messages, model=attempt.model, max_tokens=max_tokens, search=attempt.search
                )
        raise AssertionError("the last attempt raises")

    async def stream(
        self, messages: Sequence[Message], *, complexity: Complexity | None = None, max_tokens: int | None = None
    ) -> AsyncGenerator[Part, None]:
        """See `LLM.stream`. There is no failover once a model has begun to answer."""
        for attempt in self._attempts(messages, complexity):
            with attempt:
                parts = attempt.provider.stream(
                    messages, model=attempt.model, max_tokens=max_tokens, search=attempt.search
                )
                async with aclosing(parts):
                    async for part in parts:
                        attempt.begun = True
                        yield part
                return

    def _attempts(self, messages: Sequence[Message], complexity: Complexity | None) -> Iterator["_Attempt"]:
        tier = complexity or complexity_of(messages)
        candidates = self.candidates(tier)
        for place, (provider, model) in enumerate(candidates, 1):
            yield _Attempt(provider, model, search=tier is Complexity.SEARCH, last=place == len(candidates))


class _Attempt:
    """A call to one model. As a context manager, it suppresses an error that triggers failover."""

    def __init__(self, provider: LLMProvider, model: str, *, search: bool, last: bool) -> None:
        self.provider = provider
        self.model = model
        self.search = search
        self.begun = False
        self._last = last

    def __enter__(self) -> None:
        """Enter the block."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        """Return whether to suppress the error, so that the next model is called."""
        if not isinstance(error, FAILOVER_ERRORS) or self.begun or self._last:
            return False
        logger.warning("ai_failover", provider=self.provider.name, model=self.model, code=error.code)
        return True


def get_llm_router(runtime: Runtime) -> LLMRouter:
    """Return the router of a running application."""
    return LLMRouter(runtime.resource(Providers))
