"""Prompts, and checks of their outcome."""

from collections.abc import Sequence

import pytest
from structlog.testing import capture_logs

from app.ai.gateway import LLMProvider
from app.ai.port import Message, MessageRole, Part, Usage
from app.core.errors import AppError
from tests.fakes.llm import KEY

SECRET = "what nobody else may read"
CONVERSATION = [
    Message(role=MessageRole.SYSTEM, content="Be brief."),
    Message(role=MessageRole.SYSTEM, content="Be kind."),
    Message(role=MessageRole.USER, content="Hello"),
    Message(role=MessageRole.ASSISTANT, content="Hi"),
    Message(role=MessageRole.USER, content=SECRET),
]
USAGE = Usage(input_tokens=20, cached_tokens=5, output_tokens=20)


async def parts_of(llm: LLMProvider, messages: Sequence[Message] = CONVERSATION) -> list[Part]:
    """Return all parts of a stream."""
    return [part async for part in llm.stream(messages)]


async def failure_of(llm: LLMProvider, *, stream: bool) -> AppError:
    """Return the error of a request, after checking that neither log nor error reveals the prompt or the key."""
    with capture_logs() as logs, pytest.raises(AppError) as caught:
        await (parts_of(llm) if stream else llm.complete(CONVERSATION))
    told = f"{logs} {caught.value} {caught.value.details} {caught.value.__cause__}"
    assert SECRET not in told
    assert "secret words" not in told
    assert KEY not in told
    return caught.value
