"""Request and response bodies of the AI routes."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

from app.ai.gateway import check_conversation
from app.ai.model_table import Complexity
from app.ai.port import Completion, Finish, Message, MessageRole, conversation

MAX_MESSAGES = 1000
MAX_TEXT_LENGTH = 10_000_000
"""Characters of one text. AI_MAX_PROMPT_LENGTH, the limit of the whole conversation, is usually lower."""
ModelName = Annotated[str, Field(min_length=1, max_length=200)]
Cost = Annotated[Decimal, PlainSerializer(float, return_type=float, when_used="json")]


class Options(BaseModel):
    """Options of every request."""

    model_config = ConfigDict(extra="forbid")

    max_tokens: int | None = Field(default=None, ge=1, strict=True, description="The maximum length of the answer.")
    stream: bool = Field(default=False, strict=True, description="Whether to answer with server-sent events.")


class Choice(Options):
    """The provider and the model."""

    provider: str | None = Field(default=None, max_length=50, description="Default: the default provider.")
    model: ModelName | None = Field(default=None, description="Default: the provider's default model.")


class CompletionRequest(Choice):
    """A single prompt."""

    prompt: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)
    system: str | None = Field(
        default=None, min_length=1, max_length=MAX_TEXT_LENGTH, description="Instructions for the model."
    )

    @property
    def conversation(self) -> list[Message]:
        """The messages."""
        return list(conversation(self.prompt, self.system))


class MessageIn(BaseModel):
    """A message of the conversation."""

    model_config = ConfigDict(extra="forbid")

    role: MessageRole
    content: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH)


def _in_order(messages: list[MessageIn]) -> list[MessageIn]:
    check_conversation([Message(role=each.role, content=each.content) for each in messages])
    return messages


Messages = Annotated[list[MessageIn], Field(min_length=1, max_length=MAX_MESSAGES), AfterValidator(_in_order)]
"""System messages come first, the last message is the user's."""


class _Chat(Options):
    messages: Messages

    @property
    def conversation(self) -> list[Message]:
        """The messages."""
        return [Message(role=each.role, content=each.content) for each in self.messages]


class ChatRequest(_Chat, Choice):
    """A conversation."""


class RoutedChatRequest(_Chat):
    """A conversation for the cheapest suitable model."""

    complexity: Complexity | None = Field(
        default=None, description="The complexity of the question. Default: estimated."
    )


class UsageRead(BaseModel):
    """Token counts, comparable across providers."""

    model_config = ConfigDict(from_attributes=True)

    input_tokens: int = Field(description="Tokens of the prompt, cached ones included.")
    cached_tokens: int = Field(description="Tokens of the prompt that the provider had cached.")
    output_tokens: int = Field(description="Tokens of the answer, reasoning included.")
    total_tokens: int


class CompletionRead(BaseModel):
    """An answer; in a stream, the data of the last event, `usage`."""

    model_config = ConfigDict(from_attributes=True)

    provider: str
    model: str
    text: str
    finish: Finish
    usage: UsageRead | None = Field(description="Null if the provider doesn't report it.")
    cost: Cost | None = Field(description="An estimate in US dollars. Null if the price or the usage is unknown.")

    @classmethod
    def of(cls, completion: Completion) -> Self:
        """Return the response body for a completion."""
        return cls.model_validate(completion)


class DeltaRead(BaseModel):
    """A piece of an answer; the data of the event `delta`."""

    text: str


class ProviderStatus(BaseModel):
    """A provider and its availability."""

    name: str
    configured: bool
    setting: str | None = Field(description="The setting that configures it. Null if it needs none.")
    models: list[str] = Field(description="The allowed models, the default first.")


class LimitsRead(BaseModel):
    """The limits of requests."""

    max_tokens: int
    max_prompt_length: int = Field(description="Maximum length of all messages together, in characters.")
    max_concurrent_answers: int = Field(description="Maximum number of a user's answers in progress.")
    rate: str = Field(description="Maximum number of a user's requests per time.")


class Status(BaseModel):
    """The available models and the limits."""

    default_provider: str
    default_model: str | None
    providers: list[ProviderStatus]
    tiers: dict[Complexity, list[str]] = Field(description="The models that routed requests use, in that order.")
    limits: LimitsRead
