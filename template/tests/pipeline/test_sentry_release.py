import json

import httpx
import pytest

from app.dev.pipeline.sentry_release import record_release
from tests.fakes.server import Reply, serving


def variables(url: str) -> dict[str, str]:
    return {
        "SENTRY_AUTH_TOKEN": "token",
        "SENTRY_ORG": "org",
        "SENTRY_PROJECT": "api",
        "SENTRY_URL": url,
        "RELEASE": "abc123",
        "ENVIRONMENT": "production",
        "URL": "https://api.example.com",
    }


def test_creates_the_release_and_its_deploy() -> None:
    with serving(lambda _: Reply(status=201, body=b"{}")) as server:
        record_release(variables(server.url))
        created, deployed = server.requests
    assert created.path == "/api/0/organizations/org/releases/"
    assert json.loads(created.body) == {"version": "abc123", "projects": ["api"]}
    assert deployed.path == "/api/0/organizations/org/releases/abc123/deploys/"
    assert json.loads(deployed.body) == {"environment": "production", "url": "https://api.example.com"}
    assert {request.headers["authorization"] for request in (created, deployed)} == {"Bearer token"}


def test_a_refusal_is_an_error() -> None:
    with serving(lambda _: Reply(status=403)) as server, pytest.raises(httpx.HTTPStatusError, match="403"):
        record_release(variables(server.url))
