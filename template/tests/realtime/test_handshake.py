"""Credentials with which a client may connect."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from cryptography.fernet import Fernet
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from app.auth.local import mint
from app.realtime import limits, tickets
from tests.realtime.server import Client, Site, opened

TICKET = "/api/v1/app/ws/ticket"
STATUS = "/api/v1/app/ws/status"


async def refusal(url: str, headers: dict[str, str] | None = None, **options: Any) -> tuple[int, str]:  # noqa: ANN401
    """The status and the code with which a handshake is refused."""
    with pytest.raises(InvalidStatus) as raised:
        await connect(url, additional_headers=headers, proxy=None, **options)
    response = raised.value.response
    return response.status_code, str(json.loads(response.body)["error"]["code"])


def bearer(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


class TestCredentials:
    async def test_no_token_is_refused(self, site: Site, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.ERROR, logger="uvicorn"):
            assert await refusal(site.url) == (401, "UNAUTHORIZED")
        assert caplog.text == ""

    async def test_made_up_credentials_are_refused(self, site: Site) -> None:
        site.runtime.settings = site.runtime.settings.model_copy(update={"RATE_LIMIT_AUTH": "off"})
        for query in ("token=made.up.token", "ticket=made-up", "ticket=", "ticket=%C3%A9", f"ticket={'x' * 7000}"):
            assert await refusal(f"{site.url}?{query}") == (401, "INVALID_TOKEN")

    async def test_the_token_may_be_a_subprotocol(self, site: Site) -> None:
        _, headers = await site.user()
        offered = [Subprotocol("bearer"), Subprotocol(bearer(headers))]

        async with opened(site.url, subprotocols=offered) as client:
            assert client.websocket.subprotocol == "bearer"

    async def test_the_token_may_be_in_the_query_and_is_in_no_log(
        self, site: Site, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, headers = await site.user()

        with caplog.at_level(logging.DEBUG, logger="uvicorn"):
            async with opened(f"{site.url}?token={bearer(headers)}") as client:
                await client.subscribe("user")

        output = capsys.readouterr()
        assert bearer(headers)[-40:] not in caplog.text + output.out + output.err

    async def test_a_ticket_is_valid_once(self, site: Site) -> None:
        _, headers = await site.user()
        answer = await site.http.post(TICKET, headers=headers)
        ticket = answer.json()["ticket"]

        assert (answer.status_code, answer.json()["expires_in"]) == (201, 30)
        async with opened(f"{site.url}?ticket={ticket}") as client:
            await client.subscribe("user")
        assert await refusal(f"{site.url}?ticket={ticket}") == (401, "INVALID_TOKEN")
        # Another spelling of the same Base64.
        assert await refusal(f"{site.url}?ticket={ticket}%3D%3D") == (401, "INVALID_TOKEN")

    async def test_a_ticket_expires(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        _, headers = await site.user()
        ticket = (await site.http.post(TICKET, headers=headers)).json()["ticket"]
        monkeypatch.setattr(tickets, "LIFETIME", timedelta(seconds=-2))

        assert await refusal(f"{site.url}?ticket={ticket}") == (401, "INVALID_TOKEN")

    async def test_a_ticket_is_no_bearer_token(self, site: Site) -> None:
        _, headers = await site.user()
        ticket = (await site.http.post(TICKET, headers=headers)).json()["ticket"]

        assert await refusal(site.url, {"Authorization": f"Bearer {ticket}"}) == (401, "INVALID_TOKEN")
        assert (await site.http.get(STATUS, params={"ticket": ticket})).status_code == 401

    async def test_a_ticket_of_another_secret_is_refused(self, site: Site) -> None:
        ticket = Fernet(Fernet.generate_key()).encrypt(b"0" * 32 + b"token").decode()

        assert await refusal(f"{site.url}?ticket={ticket}") == (401, "INVALID_TOKEN")

    async def test_the_routes_require_a_token(self, site: Site) -> None:
        assert (await site.http.post(TICKET)).status_code == 401
        assert (await site.http.get(STATUS)).status_code == 401


class TestOrigin:
    async def test_pages_of_other_origins_are_refused(self, site: Site) -> None:
        _, headers = await site.user()

        assert await refusal(site.url, headers, origin=Origin("https://evil.example")) == (403, "ORIGIN_NOT_ALLOWED")

    async def test_own_pages_connect(self, site: Site) -> None:
        _, headers = await site.user()

        for origin in ("http://localhost:5173", "http://testserver"):
            async with opened(site.url, headers, origin=Origin(origin)):
                pass

    async def test_allowed_origins_replace_the_local_ones(self, site: Site) -> None:
        _, headers = await site.user()
        site.runtime.settings = site.runtime.settings.model_copy(
            update={"BACKEND_CORS_ORIGINS": ("https://app.example",)}
        )

        async with opened(site.url, headers, origin=Origin("https://app.example")):
            pass
        assert (await refusal(site.url, headers, origin=Origin("http://localhost:5173")))[0] == 403


class TestCount:
    async def test_a_user_has_a_limited_number_of_connections(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "MAX_CONNECTIONS", 2)
        _, headers = await site.user()
        _, others = await site.user("other@example.com")

        async with opened(site.url, headers), opened(site.url, headers):
            assert await refusal(site.url, headers) == (429, "TOO_MANY_CONNECTIONS")
            async with opened(site.url, others):
                pass
        async with opened(site.url, headers):
            pass

    async def test_the_status_shows_the_users_own_connections(self, site: Site) -> None:
        _, headers = await site.user()
        _, others = await site.user("other@example.com")

        async with opened(site.url, headers) as client, opened(site.url, others):
            await client.subscribe("user")
            status = (await site.http.get(STATUS, headers=headers)).json()

        assert status["connections"] == 1
        assert [each["channels"] for each in status["here"]] == [["user"]]


async def test_an_expired_token_is_refused(site: Site) -> None:
    await site.user()
    token = mint(site.runtime.settings, email="user@example.com", expires_in=timedelta(minutes=-5))

    assert await refusal(site.url, {"Authorization": f"Bearer {token}"}) == (401, "INVALID_TOKEN")


async def test_a_welcome_comes_first(site: Site) -> None:
    _, headers = await site.user()

    async with connect(site.url, additional_headers=headers, proxy=None) as websocket:
        welcome = await Client(websocket).expect("welcome")

    assert set(welcome) == {"type", "connection_id", "heartbeat"}
