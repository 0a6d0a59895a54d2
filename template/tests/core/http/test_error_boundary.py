"""Unexpected errors of routes and of the start."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from tests.core.applications import PUBLIC, Build
from tests.core.http.small_module import SMALL


async def call(app: FastAPI, path: str, *received: dict[str, Any], method: str = "GET") -> list[dict[str, Any]]:
    """Return the messages that the application sends."""
    sent: list[dict[str, Any]] = []
    messages = iter(received or ({"type": "http.request", "body": b"", "more_body": False},))

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "client": ("192.0.2.1", 1),
        "server": ("testserver", 80),
    }
    try:
        await app(scope, receive, send)
    except RuntimeError as error:
        sent.append({"type": "raised", "error": error})
    return sent


class TestErrorBoundary:
    async def test_responds_to_an_unexpected_error_and_does_not_raise_it(self, build: Build) -> None:
        sent = await call(build(SMALL), f"{PUBLIC}/fail")

        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert sent[0]["status"] == 500

    async def test_raises_an_error_after_the_response_has_started(self, build: Build) -> None:
        sent = await call(build(SMALL), f"{PUBLIC}/break")

        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body", "raised"]
        assert sent[0]["status"] == 200
        assert sent[1]["body"] == b"first"

    async def test_ignores_a_disconnected_client(self, build: Build) -> None:
        assert await call(build(SMALL), f"{PUBLIC}/swallow", {"type": "http.disconnect"}, method="POST") == []


class TestStart:
    @pytest.mark.parametrize(
        ("error", "expected"), [(UserError("Do this."), "Do this."), (RuntimeError("unexpected"), "Traceback")]
    )
    async def test_a_user_error_has_no_traceback(self, build: Build, error: Exception, expected: str) -> None:
        @asynccontextmanager
        async def lifespan(_runtime: Runtime) -> AsyncIterator[None]:
            raise error
            yield

        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, str]:
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
            sent.append(message)

        app = build(Module(name="broken", lifespan=lifespan))
        with pytest.raises(type(error)):
            await app({"type": "lifespan"}, receive, send)
        assert sent[0]["type"] == "lifespan.startup.failed"
        assert sent[0]["message"].startswith(expected)
