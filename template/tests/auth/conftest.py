"""Fixtures of the tests of authentication."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from app.auth.authenticator import Authenticator
from app.auth.module import module
from app.core.lifecycle import create_runtime, running
from app.core.module import module as core
from tests.core.config.startup_problems import startup_problems
from tests.fakes.issuer import Issuer, issuing

type OpenAuthenticator = Callable[[Mapping[str, str]], AbstractAsyncContextManager[Authenticator]]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's proxy cannot reach this machine's loopback interface."""
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """An issuer of tokens."""
    with issuing() as started:
        yield started


@pytest.fixture
def open_authenticator(environment: None, monkeypatch: pytest.MonkeyPatch) -> OpenAuthenticator:  # noqa: ARG001 - the order matters
    """A factory of authenticators: `async with open_authenticator({"NAME": "value"}) as authenticator`."""

    @asynccontextmanager
    async def opened(values: Mapping[str, str]) -> AsyncIterator[Authenticator]:
        for name, value in values.items():
            monkeypatch.setenv(name, value)
        async with running(create_runtime([core, module])) as runtime:
            yield runtime.resource(Authenticator)

    return opened


def settings_problems(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    """Return the problems of these settings, one per line."""
    return "\n".join(startup_problems(monkeypatch, core, module, **settings))
