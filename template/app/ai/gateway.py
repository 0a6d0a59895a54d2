"""The language models that the application uses: the chosen providers behind argument validation."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal

import structlog

from app.ai.errors import (
    AINotConfiguredError,
    ModelNotAllowedError,
    PromptTooLargeError,
    TooManyTokensError,
    UnknownProviderError,
)
from app.ai.model_table import ModelTable
from app.ai.port import LLM, Adapter, Answer, Completion, Delta, Message, MessageRole, Part, Prompt, Usage
from app.core.ports.operations import AICall
from app.core.ports.telemetry import Telemetry
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The limits of a request.

    Attributes:
        max_tokens: maximum length of an answer.
        max_prompt_length: maximum length of all messages together, in characters.
    """

    max_tokens: int
    max_prompt_length: int

    def check(self, messages: Sequence[Message], max_tokens: int | None) -> int:
        """Return the maximum number of tokens of the answer.

        Raises:
            PromptTooLargeError: the messages are too long.
            TooManyTokensError: the requested answer is too long.
            ValueError: the messages are not a valid conversation.
        """
        check_conversation(messages)
        if sum(len(each.content) for each in messages) > self.max_prompt_length:
            raise PromptTooLargeError(self.max_prompt_length)
        if max_tokens is not None and not 1 <= max_tokens <= self.max_tokens:
            raise TooManyTokensError(self.max_tokens)
        return max_tokens or self.max_tokens


def check_conversation(messages: Sequence[Message]) -> None:
    """Raise `ValueError` unless system messages come first and the last message is the user's."""
    roles = [each.role for each in messages]
    first = next((place for place, role in enumerate(roles) if role is not MessageRole.SYSTEM), len(roles))
    if MessageRole.SYSTEM in roles[first:]:
        raise ValueError("System messages must come before all others.")
    if not roles or roles[-1] is not MessageRole.USER:
        raise ValueError("The last message must be the user's.")


class LLMProvider(LLM):
    """A provider. Get it with `get_llm_provider(runtime)`, or in a route with `llm: LLMProviderDep`.

    All methods except the simple ones also take the name of a model.

    Args:
        name: its name.
        key: the setting that it requires, if any.
        adapter: calls the provider; `None` if the key is not set.
        models: the allowed models, the default first.
        table: the models and their prices.
        limits: of each request.
        telemetry: receives every call.
    """

    def __init__(
        self,
        name: str,
        *,
        key: str | None,
        adapter: Adapter | None,
        models: Sequence[str],
        table: ModelTable,
        limits: Limits,
        telemetry: Telemetry,
    ) -> None:
        self.name = name
        self.key = key
        self.models = tuple(models)
        self.limits = limits
        self._adapter = adapter
        self._table = table
        self._telemetry = telemetry

    @property
    def configured(self) -> bool:
        """Whether the provider can be called."""
        return self._adapter is not None

    def check(
        self,
        messages: Sequence[Message],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        search: bool = False,
    ) -> Prompt:
        """Return the validated prompt.

        Raises:
            AINotConfiguredError: the key is not set.
            ModelNotAllowedError: the model is not allowed.
            PromptTooLargeError: the messages are too long.
            TooManyTokensError: the requested answer is too long.
            ValueError: the messages are not a valid conversation.
        """
        tokens = self.limits.check(messages, max_tokens)
        name = model or next(iter(self.models), "")
        if name not in self.models:
            raise ModelNotAllowedError(self.models)
        if self._adapter is None:
            raise AINotConfiguredError(self.name, self.key)
        return Prompt(model=name, messages=messages, max_tokens=tokens, search=search)

    async def complete(
        self,
        messages: Sequence[Message],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        search: bool = False,
    ) -> Completion:
        """See `LLM.complete`."""
        prompt = self.check(messages, model=model, max_tokens=max_tokens, search=search)
        call = AICall(provider=self.name, model=prompt.model, streamed=False)
        started = time.perf_counter()
        with self._telemetry.observe(call):
            answer = await self._configured_adapter.complete(prompt)
            return self._completion(prompt, answer, started, call)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        model: str | None = None,
        max_tokens: int | None = None,
        search: bool = False,
    ) -> AsyncGenerator[Part, None]:
        """See `LLM.stream`."""
        prompt = self.check(messages, model=model, max_tokens=max_tokens, search=search)
        call = AICall(provider=self.name, model=prompt.model, streamed=True)
        started = time.perf_counter()
        with self._telemetry.observe(call):
            async with aclosing(self._configured_adapter.stream(prompt)) as parts:
                async for part in parts:
                    yield Delta(text=part) if isinstance(part, str) else self._completion(prompt, part, started, call)

    @property
    def _configured_adapter(self) -> Adapter:
        if self._adapter is None:
            raise AINotConfiguredError(self.name, self.key)
        return self._adapter

    def _completion(self, prompt: Prompt, answer: Answer, started: float, call: AICall) -> Completion:
        cost = self._table.cost(self.name, prompt.model, answer.usage)
        call.cost = None if cost is None else float(cost)
        if answer.usage is not None:
            call.input_tokens, call.output_tokens = answer.usage.input_tokens, answer.usage.output_tokens
        _log(self.name, prompt.model, answer.usage, cost, started)
        return Completion(
            provider=self.name,
            model=prompt.model,
            text=answer.text,
            finish=answer.finish,
            usage=answer.usage,
            cost=cost,
        )


def _log(provider: str, model: str, usage: Usage | None, cost: Decimal | None, started: float) -> None:
    """Log the call, without prompt and answer."""
    logger.info(
        "ai_answered",
        provider=provider,
        model=model,
        input_tokens=usage and usage.input_tokens,
        output_tokens=usage and usage.output_tokens,
        cost=None if cost is None else float(cost),
        duration_ms=round((time.perf_counter() - started) * 1000),
    )


class Providers:
    """The chosen providers by name, and the default provider."""

    def __init__(self, providers: Mapping[str, LLMProvider], default: str, table: ModelTable) -> None:
        self.by_name = dict(providers)
        self.table = table
        self.default = self.by_name[default]

    def get(self, name: str | None = None, model: str | None = None) -> LLMProvider:
        """Return the provider with this name, otherwise the model's provider, otherwise the default one.

        Raises:
            UnknownProviderError: the provider is not part of this project.
        """
        if name is None:
            owner = self.table.provider_of(model) if model else None
            return self.by_name.get(owner or "", self.default)
        if name not in self.by_name:
            raise UnknownProviderError(list(self.by_name))
        return self.by_name[name]


def get_llm_provider(runtime: Runtime, name: str | None = None) -> LLMProvider:
    """Return a provider of a running application: the one with this name, or the default one.

    Raises:
        UnknownProviderError: the provider is not part of this project.
    """
    return runtime.resource(Providers).get(name)
