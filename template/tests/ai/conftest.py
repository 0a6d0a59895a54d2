"""Fixtures of the AI gateway's tests."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack

import pytest
import stamina

from app.ai.gateway import LLMProvider, get_llm_provider
from app.core.runtime import Runtime
from tests.ai.cases import CASES
from tests.conftest import SignIn
from tests.fakes.llm import FakeLLM, serving_llm

ATTEMPTS = 3


@pytest.fixture(autouse=True)
def no_pauses() -> Iterator[None]:
    """Retry without pauses."""
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bypass the developer's proxy."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def fakes(environment: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, FakeLLM]]:  # noqa: ARG001 - the order matters
    """A fake server for each chosen provider, by name. The application uses them."""
    async with AsyncExitStack() as stack:
        servers = {}
        for case in CASES:
            servers[case.name] = await stack.enter_async_context(serving_llm(case.dialect))
            for name, value in case.settings(servers[case.name]).items():
                monkeypatch.setenv(name, value)
        yield servers


@pytest.fixture
def fake(fakes: dict[str, FakeLLM]) -> FakeLLM:
    """The default provider's server."""
    return fakes[CASES[0].name]


@pytest.fixture
def llm(fakes: dict[str, FakeLLM], runtime: Runtime) -> LLMProvider:  # noqa: ARG001 - the order matters
    """The default provider."""
    return get_llm_provider(runtime)


@pytest.fixture
async def asker(sign_in: SignIn) -> dict[str, str]:
    """The headers of a user."""
    return await sign_in(email="asker@example.com")
