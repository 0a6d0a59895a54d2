"""The router: asks the cheapest model that is good enough, and the next one when it does not answer."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Annotated

import structlog
from fastapi import Depends

from app.ai.complexity import complexity_of
from app.ai.errors import AIRateLimitedError, AIUnavailableError
from app.ai.model_table import Complexity
from app.ai.port import LLM, Completion, Message, Part
from app.ai.service import LLMProvider, Providers
from app.core.http.dependencies import RuntimeDep
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

FALLS_OVER = AIUnavailableError, AIRateLimitedError
"""What one provider says and another may not."""


class LLMRouter(LLM):
    """Routes over the chosen providers. Read it with `get_llm_router(runtime)`, in a route as `router: LLMRouterDep`.

    All methods but the simple ones also take how complex the question is.
    """

    def __init__(self, providers: Providers) -> None:
        self._providers = providers

    def candidates(self, complexity: Complexity) -> Sequence[tuple[LLMProvider, str]]:
        """Who is asked, in that order: models of the tier that may be asked and have a key, the cheapest first.

        Where there are none, the default provider answers, whatever it is.
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
        """Raises what `complete` would raise before it asks anybody."""
        for provider, model in self.candidates(complexity or complexity_of(messages)):
            provider.check(messages, model=model, max_tokens=max_tokens)

    async def complete(
        self, messages: Sequence[Message], *, complexity: Complexity | None = None, max_tokens: int | None = None
    ) -> Completion:
        """See `LLM.complete`.

        Args:
            complexity: of the question; guessed when it is left out.
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
        """See `LLM.stream`. Once a model has begun, no other one takes over."""
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
    """One model being asked. As a context manager, it keeps back an error after which the next one is asked."""

    def __init__(self, provider: LLMProvider, model: str, *, search: bool, last: bool) -> None:
        self.provider = provider
        self.model = model
        self.search = search
        self.begun = False
        self._last = last

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> bool:
        """Whether the next one is asked instead."""
        if not isinstance(error, FALLS_OVER) or self.begun or self._last:
            return False
        logger.warning("ai_falls_over", provider=self.provider.name, model=self.model, code=error.code)
        return True


def get_llm_router(runtime: Runtime) -> LLMRouter:
    """The router of a running application."""
    return LLMRouter(runtime.resource(Providers))


async def _router(runtime: RuntimeDep) -> LLMRouter:
    return get_llm_router(runtime)


LLMRouterDep = Annotated[LLMRouter, Depends(_router)]
