"""The base of the tests of a provider."""

from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from app.ai.gateway import LLMProvider, get_llm_provider
from app.core.runtime import Runtime
from tests.fakes.llm import Case, FakeLLM, serving_llm


@pytest.mark.usefixtures("configured")
class ProviderTests:
    """The server of one provider, and the application that calls it."""

    case: ClassVar[Case]
    unreadable: ClassVar[tuple[bytes, str]]
    """A response with an unreadable field, and the field's name."""

    @pytest.fixture
    async def fake(self) -> AsyncIterator[FakeLLM]:
        """The provider's server."""
        async with serving_llm(self.case.dialect) as served:
            yield served

    @pytest.fixture
    def configured(self, environment: None, monkeypatch: pytest.MonkeyPatch, fake: FakeLLM) -> None:  # noqa: ARG002 - the order matters
        """Point the application to the server. `usefixtures` runs it before the application is created."""
        monkeypatch.setenv("AI_DEFAULT_PROVIDER", self.case.name)
        for name, value in self.case.settings(fake).items():
            monkeypatch.setenv(name, value)

    @pytest.fixture
    def llm(self, runtime: Runtime) -> LLMProvider:
        """The provider."""
        return get_llm_provider(runtime, self.case.name)
