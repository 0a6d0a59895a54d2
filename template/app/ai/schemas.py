"""What goes in and out over HTTP."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from app.ai.model_table import Complexity
from app.ai.port import Completion, Finish, Message, MessageRole, conversation
from app.ai.service import check_conversation

MAX_MESSAGES = 1000
MAX_TEXT_LENGTH = 10_000_000
"""Characters of one text. AI_MAX_PROMPT_LENGTH, the limit of the whole conversation, is usually lower."""
ModelName = Annotated[str, Field(min_length=1, max_length=200)]
Cost = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class Options(BaseModel):
    """What every question may say."""

    model_config = ConfigDict(extra="forbid")

    max_tokens: int | None = Field(default=None, ge=1, description="Of the answer, at most.")
    stream: bool = Field(default=False, description="Answer with server-sent events.")


class Choice(Options):
    """Who is asked."""

    provider: str | None = Field(default=None, max_length=50, description="The default one when it is left out.")
    model: ModelName | None = Field(default=None, description="The provider's default one when it is left out.")


class CompletionRequest(Choice):
    """One question."""

    prompt: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)
    system: str | None = Field(
        default=None, min_length=1, max_length=MAX_TEXT_LENGTH, description="What the model should keep to."
    )

    @property
    def conversation(self) -> list[Message]:
        """The messages."""
        return list(conversation(self.prompt, self.system))


class MessageIn(BaseModel):
    """What somebody says."""

    model_config = ConfigDict(extra="forbid")

    role: MessageRole
    content: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)


def _in_order(messages: list[MessageIn]) -> list[MessageIn]:
    check_conversation([Message(role=each.role, content=each.content) for each in messages])
    return messages


Messages = Annotated[list[MessageIn], Field(min_length=1, max_length=MAX_MESSAGES), AfterValidator(_in_order)]
"""The system first, if at all; the user last."""


class _Chat(Options):
    messages: Messages

    @property
    def conversation(self) -> list[Message]:
        """The messages."""
        return [Message(role=each.role, content=each.content) for each in self.messages]


class ChatRequest(_Chat, Choice):
    """A conversation."""


class RoutedChatRequest(_Chat):
    """A conversation for whichever model is good enough."""

    complexity: Complexity | None = Field(default=None, description="Guessed when it is left out.")


class UsageRead(BaseModel):
    """Tokens, counted the same way whoever answers."""

    model_config = ConfigDict(from_attributes=True)

    input_tokens: int = Field(description="Read, whether or not from the provider's cache.")
    cached_tokens: int = Field(description="Of these, from the cache.")
    output_tokens: int = Field(description="Written, thoughts included.")
    total_tokens: int


class CompletionRead(BaseModel):
    """An answer; of a stream the last event, `usage`."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    model: str
    text: str
    finish: Finish
    usage: UsageRead | None = Field(description="Nothing where the provider does not tell.")
    cost: Cost | None = Field(description="An estimate in US dollars.")

    @classmethod
    def of(cls, completion: Completion) -> Self:
        """As the client sees it."""
        return cls.model_validate(completion)


class DeltaRead(BaseModel):
    """A piece of an answer; the event `delta`."""

    text: str


class ProviderStatus(BaseModel):
    """Whether a provider can be asked."""

    name: str
    configured: bool
    setting: str = Field(description="What it needs to be configured.")
    models: list[str] = Field(description="The first one answers when none is named.")


class LimitsRead(BaseModel):
    """What may be asked."""

    max_tokens: int
    max_prompt_length: int = Field(description="Characters of all messages together.")
    rate: str


class Status(BaseModel):
    """Who can be asked, and how much."""

    default_provider: str
    default_model: str | None
    providers: list[ProviderStatus]
    tiers: dict[Complexity, list[str]] = Field(description="Which models the router asks, in that order.")
    limits: LimitsRead
