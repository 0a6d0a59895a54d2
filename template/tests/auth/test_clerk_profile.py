import json
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from app.auth.jwks import open_key_set
from app.auth.port import Identity
from app.auth.providers.clerk import ALGORITHMS, ClerkProvider
from app.auth.providers.clerk_settings import ClerkSettings
from tests.fakes.server import FakeServer, Received, Reply, serving

IDENTITY = Identity(provider="clerk", subject="user_1")
USER = {
    "id": "user_1",
    "object": "user",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "primary_email_address_id": "idn_2",
    "email_addresses": [
        {"id": "idn_1", "email_address": "old@example.com", "verification": {"status": "verified"}},
        {"id": "idn_2", "email_address": "ada@example.com", "verification": {"status": "verified"}},
    ],
    "unsafe_metadata": {"name": "somebody else"},
}


class Api:
    """Clerk's Backend API."""

    def __init__(self) -> None:
        self.reply = Reply(body=json.dumps(USER).encode())

    def answer(self, request: Received) -> Reply:
        if request.headers.get("authorization") != "Bearer sk_test_1":
            return Reply(status=401)
        return self.reply if request.path == "/v1/users/user_1" else Reply(status=404)


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def server(api: Api) -> Iterator[FakeServer]:
    with serving(api.answer) as started:
        yield started


@pytest.fixture
def secret_key() -> str:
    return "sk_test_1"


@pytest.fixture
async def provider(
    environment: None,  # noqa: ARG001 - the order matters
    monkeypatch: pytest.MonkeyPatch,
    server: FakeServer,
    secret_key: str,
) -> AsyncIterator[ClerkProvider]:
    monkeypatch.setenv("CLERK_SECRET_KEY", secret_key)
    issuer = "https://clerk.example.com"
    async with (
        open_key_set(f"{issuer}/.well-known/jwks.json", ALGORITHMS) as keys,
        httpx.AsyncClient(base_url=server.url, timeout=0.3) as client,
    ):
        yield ClerkProvider(ClerkSettings(), issuer, keys, client)


class TestProfile:
    async def test_address_and_name_are_read_from_the_profile(self, provider: ClerkProvider) -> None:
        expected = Identity(
            provider="clerk", subject="user_1", email="ada@example.com", email_verified=True, name="Ada Lovelace"
        )

        assert await provider.profile(IDENTITY) == expected

    async def test_an_unverified_address_is_omitted(self, provider: ClerkProvider, api: Api) -> None:
        address = {"id": "idn_2", "email_address": "ada@example.com", "verification": {"status": "unverified"}}
        api.reply = Reply(body=json.dumps(USER | {"email_addresses": [address]}).encode())

        assert (await provider.profile(IDENTITY)).email is None

    async def test_the_values_of_the_token_are_kept_if_the_profile_is_empty(
        self, provider: ClerkProvider, api: Api
    ) -> None:
        api.reply = Reply(body=b'{"id": "user_1", "email_addresses": [null, 5, {"id": null}], "first_name": null}')
        known = Identity(provider="clerk", subject="user_1", email="me@example.com", name="Me")

        assert await provider.profile(known) == known

    async def test_a_subject_cannot_change_the_path_of_the_request(
        self, provider: ClerkProvider, server: FakeServer
    ) -> None:
        await provider.profile(Identity(provider="clerk", subject="../../v1/users?limit=500#"))

        assert [request.path for request in server.requests] == ["/v1/users/..%2F..%2Fv1%2Fusers%3Flimit%3D500%23"]

    @pytest.mark.parametrize(
        "reply",
        [Reply(status=500), Reply(status=429), Reply(status=404), Reply(body=b"<html>"), Reply(body=b"[]"), Reply()],
        ids=["error", "rate limit", "not found", "HTML", "a list", "nothing"],
    )
    async def test_a_failed_lookup_does_not_fail_the_request(
        self, provider: ClerkProvider, api: Api, reply: Reply
    ) -> None:
        api.reply = reply

        assert await provider.profile(IDENTITY) == IDENTITY

    async def test_an_unavailable_server_does_not_fail_the_request(
        self, provider: ClerkProvider, server: FakeServer
    ) -> None:
        server.stop()

        assert await provider.profile(IDENTITY) == IDENTITY

    async def test_a_server_that_keeps_failing_is_not_called(
        self, provider: ClerkProvider, api: Api, server: FakeServer
    ) -> None:
        api.reply = Reply(status=503)
        for _ in range(8):
            assert await provider.profile(IDENTITY) == IDENTITY

        assert len(server.requests) == 5

    @pytest.mark.parametrize("secret_key", ["sk_test_wrong"])
    async def test_a_wrong_key_does_not_fail_the_request(self, provider: ClerkProvider) -> None:
        assert await provider.profile(IDENTITY) == IDENTITY

    @pytest.mark.parametrize("secret_key", [""])
    async def test_without_a_key_no_request_is_sent(self, provider: ClerkProvider, server: FakeServer) -> None:
        assert await provider.profile(IDENTITY) == IDENTITY
        assert server.requests == []
