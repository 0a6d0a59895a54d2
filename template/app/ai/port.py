"""The port: language models that answer conversations, as a whole or as a stream."""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr

from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime


class MessageRole(StrEnum):
    """The author of a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """A message. In a conversation, system messages come first, and the last message is the user's."""

    role: MessageRole
    content: str


class Finish(StrEnum):
    """Why an answer ended."""

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Token counts of one call, comparable across providers.

    Attributes:
        input_tokens: tokens of the prompt, cached ones included.
        cached_tokens: tokens of the prompt that came from the provider's cache, at its lower price.
        output_tokens: tokens of the answer, reasoning included.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Tokens of prompt and answer."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """A validated request for an adapter.

    Attributes:
        model: the provider's name of the model.
        messages: the conversation.
        max_tokens: maximum length of the answer.
        search: whether the provider may search the web.
    """

    model: str
    messages: Sequence[Message]
    max_tokens: int
    search: bool = False

    @property
    def system(self) -> str | None:
        """The system messages, as one text."""
        return "\n\n".join(each.content for each in self.messages if each.role is MessageRole.SYSTEM) or None

    @property
    def turns(self) -> Sequence[Message]:
        """The messages of user and assistant."""
        return [each for each in self.messages if each.role is not MessageRole.SYSTEM]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An adapter's answer. `usage` is `None` if the server doesn't report it."""

    text: str
    finish: Finish
    usage: Usage | None


class Adapter(Protocol):
    """A client of one provider's API. Use it through `LLMProvider`, which validates the arguments.

    Both methods raise the errors of `app.ai.errors`.
    """

    async def complete(self, prompt: Prompt) -> Answer:
        """Return the complete answer."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """Yield pieces of text as they arrive, then the complete answer. Closing the generator ends the call."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """An answer.

    Attributes:
        provider: the provider's name.
        cost: an estimate in US dollars by `models.toml`; `None` if the price or the usage is unknown.
    """

    provider: str
    model: str
    text: str
    finish: Finish
    usage: Usage | None
    cost: Decimal | None


type Part = Delta | Completion
"""A part of a stream: deltas, then the completion that they add up to."""


class LLM(ABC):
    """The interface of every provider and of the router.

    Each method raises the errors of `app.ai.errors`. Don't hold a database connection while calling one.
    """

    @abstractmethod
    async def complete(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> Completion:
        """Answer a conversation.

        Args:
            messages: the conversation.
            max_tokens: maximum length of the answer; AI_MAX_TOKENS by default.
        """

    @abstractmethod
    def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncGenerator[Part, None]:
        """Yield the answer in pieces, then the completion. Closing the generator ends the call."""

    async def complete_simple(self, prompt: str, *, system: str | None = None) -> str:
        """Return the text that answers one prompt."""
        return (await self.complete(conversation(prompt, system))).text

    async def stream_simple(self, prompt: str, *, system: str | None = None) -> AsyncGenerator[str, None]:
        """Yield the text that answers one prompt, in pieces."""
        async with aclosing(self.stream(conversation(prompt, system))) as parts:
            async for part in parts:
                if isinstance(part, Delta):
                    yield part.text


def conversation(prompt: str, system: str | None = None) -> Sequence[Message]:
    """Return the conversation that consists of one prompt."""
    asked = Message(role=MessageRole.USER, content=prompt)
    return [asked] if system is None else [Message(role=MessageRole.SYSTEM, content=system), asked]


@dataclass(frozen=True, kw_only=True, slots=True)
class AIProviderSpec:
    """A provider of the port; each module in `app/ai/providers/` builds one as `provider`.

    Attributes:
        name: the value of AI_DEFAULT_PROVIDER that selects it.
        settings: its settings class.
        is_configured: whether its settings suffice to call it.
        open: opens the adapter when the application starts, given the timeout of an answer, and closes it when the
            application stops. Not called if the provider isn't configured.
        local_only: whether it exists only in the environment local.
    """

    name: str
    settings: type[ModuleSettings]
    is_configured: Callable[[ModuleSettings], bool]
    open: Callable[[Runtime, timedelta], AbstractAsyncContextManager[Adapter]]
    local_only: bool = False

    @property
    def key(self) -> str | None:
        """The setting of its API key, its only secret; `None` if it has no key."""
        fields = self.settings.model_fields.items()
        return next((name for name, field in fields if field.annotation is SecretStr), None)
