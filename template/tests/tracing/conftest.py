"""Fixtures of the tests of tracing: a collector, and applications that send their spans to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import httpx
import pytest

from app.core.db.database import Database
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from app.main import create_app
from app.tracing.module import module as tracing
from tests.core.applications import client_of
from tests.tracing.collector import Collector, running_collector

type Running = tuple[httpx.AsyncClient, Runtime]
type Trace = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Return a running collector."""
    with running_collector() as opened:
        yield opened


@pytest.fixture
def trace(collector: Collector, database: Database, monkeypatch: pytest.MonkeyPatch) -> Trace:
    """Return a function that runs an application with modules and settings, for the length of a block.

    Every trace is recorded, and all spans have arrived when the block has ended. Only with `real`, whose changes are
    not undone, are there spans of SQL statements: the usual database of a test is a connection and no engine.
    """

    @asynccontextmanager
    async def run(*modules: Module, real: bool = False, **settings: str) -> AsyncIterator[Running]:
        defaults = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER_ARG": "1"}
        for name, value in (defaults | settings).items():
            monkeypatch.setenv(name, value)
        made = [core, tracing, *modules]
        runtime = create_runtime(made, database=None if real else database)
        async with running(runtime, background=False), client_of(create_app(made, runtime=runtime)) as client:
            yield client, runtime

    return run
