"""The port: language models that answer messages, whole or piece by piece."""

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
    """Who speaks."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What somebody says. What the system says comes first; the last word is the user's."""

    role: MessageRole
    content: str


class Finish(StrEnum):
    """Why an answer ends."""

    STOP = "stop"
    LENGTH = "length"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one call, counted the same way whoever answers.

    Attributes:
        input_tokens: all that was read, whether or not it came from the provider's cache.
        cached_tokens: how many of these came from the cache, at its lower price.
        output_tokens: all that was written, the model's thoughts included.
    """

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Read and written."""
        return self.input_tokens + self.output_tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What an adapter sends; checked.

    Attributes:
        max_tokens: that the answer may have.
        search: whether the provider may look things up in the web.
    """

    model: str
    messages: Sequence[Message]
    max_tokens: int
    search: bool = False

    @property
    def system(self) -> str | None:
        """What the system says, as one text."""
        return "\n\n".join(each.content for each in self.messages if each.role is MessageRole.SYSTEM) or None

    @property
    def turns(self) -> Sequence[Message]:
        """What user and assistant say."""
        return [each for each in self.messages if each.role is not MessageRole.SYSTEM]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What an adapter gives; `usage` is `None` where the server does not tell."""

    text: str
    finish: Finish
    usage: Usage | None


class Adapter(Protocol):
    """Speaks one provider's protocol. Use it through `LLMProvider`, which checks what it is given.

    Both methods raise the errors of `app.ai.errors`.
    """

    async def complete(self, prompt: Prompt) -> Answer:
        """The whole answer."""
        ...

    def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """The answer's text in pieces, as they come, and at last the whole. Closing it ends the call."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Delta:
    """A piece of the answer."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Completion:
    """An answer.

    Attributes:
        provider: who gave it.
        cost: an estimate in US dollars by `models.toml`; `None` where the price or the usage is not known.
    """

    provider: str
    model: str
    text: str
    finish: Finish
    usage: Usage | None
    cost: Decimal | None


type Part = Delta | Completion
"""Of a stream: many deltas, then the completion that they make."""


class LLM(ABC):
    """What every provider and the router can do.

    Each method raises the errors of `app.ai.errors`. Hold no database connection while you call one.
    """

    @abstractmethod
    async def complete(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> Completion:
        """Answers the messages.

        Args:
            messages: the conversation so far.
            max_tokens: that the answer may have; AI_MAX_TOKENS when it is left out.
        """

    @abstractmethod
    def stream(self, messages: Sequence[Message], *, max_tokens: int | None = None) -> AsyncGenerator[Part, None]:
        """Answers piece by piece, at last with the completion. Closing it ends the call."""

    async def complete_simple(self, prompt: str, *, system: str | None = None) -> str:
        """Answers one question: the text."""
        return (await self.complete(conversation(prompt, system))).text

    async def stream_simple(self, prompt: str, *, system: str | None = None) -> AsyncGenerator[str, None]:
        """Answers one question: the text in pieces."""
        async with aclosing(self.stream(conversation(prompt, system))) as parts:
            async for part in parts:
                if isinstance(part, Delta):
                    yield part.text


def conversation(prompt: str, system: str | None = None) -> Sequence[Message]:
    """The messages of one question."""
    asked = Message(role=MessageRole.USER, content=prompt)
    return [asked] if system is None else [Message(role=MessageRole.SYSTEM, content=system), asked]


@dataclass(frozen=True, kw_only=True, slots=True)
class AIPiece:
    """What a provider adds to the application; each of `app/ai/providers/` builds one as `provider`.

    Attributes:
        name: the value of AI_DEFAULT_PROVIDER that selects it.
        settings: its settings class.
        is_configured: whether it can be, by its settings.
        open: makes the adapter when the application starts, given how long an answer may take, and closes what it holds
            when the application stops. It is not called where the key is missing.
    """

    name: str
    settings: type[ModuleSettings]
    is_configured: Callable[[ModuleSettings], bool]
    open: Callable[[Runtime, timedelta], AbstractAsyncContextManager[Adapter]]

    @property
    def key(self) -> str:
        """The setting without which it cannot be called: the one secret that it has."""
        return next(name for name, field in self.settings.model_fields.items() if field.annotation is SecretStr)
