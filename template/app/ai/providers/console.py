"""A model for development without an API key: it streams a canned answer. It exists in the environment local only."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Final

from app.ai.port import Adapter, AIProviderSpec, Answer, Finish, Prompt, Usage
from app.core.config.settings import ModuleSettings
from app.core.runtime import Runtime

NAME: Final = "console"
ANSWER: Final = (
    "[Canned answer from the console model: no language model was called.] "
    "Set a provider's API key in .env to get real answers; docs/ai.md names the settings. "
    "The rest of the gateway works as usual: limits, streams, usage and errors."
)
CHUNK_INTERVAL: Final = 0.01
"""Seconds between two chunks of a stream, so that it looks like one."""


class ConsoleSettings(ModuleSettings):
    """No settings besides ENVIRONMENT."""


class ConsoleAdapter:
    """See `Adapter`."""

    async def complete(self, prompt: Prompt) -> Answer:
        """See `Adapter.complete`."""
        words = ANSWER.split()
        kept = words[: prompt.max_tokens]
        read = sum(len(message.content.split()) for message in prompt.messages)
        return Answer(
            text=" ".join(kept),
            finish=Finish.STOP if len(kept) == len(words) else Finish.LENGTH,
            usage=Usage(input_tokens=read, output_tokens=len(kept)),
        )

    async def stream(self, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
        """See `Adapter.stream`."""
        answer = await self.complete(prompt)
        for place, word in enumerate(answer.text.split()):
            yield word if place == 0 else f" {word}"
            await asyncio.sleep(CHUNK_INTERVAL)
        yield answer


def _is_configured(settings: ModuleSettings) -> bool:
    return settings.is_local


@asynccontextmanager
async def _open(_runtime: Runtime, _answer_timeout: timedelta) -> AsyncIterator[Adapter]:
    yield ConsoleAdapter()


provider = AIProviderSpec(
    name=NAME, settings=ConsoleSettings, is_configured=_is_configured, open=_open, local_only=True
)
