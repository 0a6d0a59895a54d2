"""What the tests of the AI gateway have in common."""

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
    """Tries again at once."""
    with stamina.set_testing(True, attempts=ATTEMPTS):
        yield


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever stands between the developer and the internet."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def fakes(environment: None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, FakeLLM]]:  # noqa: ARG001 - the order matters
    """A server for each chosen provider, by its name; the application is led to them."""
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
    """The headers of somebody who asks."""
    return await sign_in(email="asker@example.com")
