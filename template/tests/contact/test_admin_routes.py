"""The routes of the contact form's messages for administrators."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import jwt
import pytest
from sqlalchemy import update

from app.auth.local import mint
from app.core.runtime import Runtime
from app.users.models import users
from app.users.roles import Role
from tests.conftest import SignIn
from tests.contact.conftest import ADA, ADMIN, TEAM, Outbox, deliveries, filled_form, send
from tests.users.audits import MemoryAudit


async def listed(client: httpx.AsyncClient, headers: dict[str, str], **params: str | int) -> list[dict[str, Any]]:
    """Return the items of a page, the newest first."""
    answer = await client.get(ADMIN, headers=headers, params=params)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def change(client: httpx.AsyncClient, headers: dict[str, str], id_: str, state: str) -> httpx.Response:
    """Change the state of a message."""
    return await client.patch(f"{ADMIN}/{id_}", headers=headers, json={"state": state})


def impersonated(runtime: Runtime, email: str) -> dict[str, str]:
    """Return the headers of someone who acts as this user (RFC 8693)."""
    claims = jwt.decode(mint(runtime.settings, email=email), options={"verify_signature": False})
    secret = runtime.settings.SECRET_KEY.get_secret_value()
    return {"Authorization": f"Bearer {jwt.encode({**claims, 'act': {'sub': 'support'}}, secret, algorithm='HS256')}"}


class TestList:
    async def test_shows_messages_and_the_states_of_their_deliveries(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, admin: dict[str, str]
    ) -> None:
        spam = await send(client, filled_form(runtime, age=0, name="Bot"))
        id_ = await send(client, filled_form(runtime, source={"utm_source": "x"}, extra_fields={"a": 1}))
        outbox.failures = [ConnectionError()]
        await runtime.queue.drain()
        newest, oldest = await listed(client, admin)
        assert (oldest["id"], oldest["state"], oldest["spam_reason"]) == (spam, "spam", "too_fast")
        assert {key: newest[key] for key in ADA} == ADA
        assert (newest["id"], newest["state"], newest["spam_reason"]) == (id_, "new", None)
        assert (newest["source"], newest["extra_fields"]) == ({"utm_source": "x"}, {"a": 1})
        assert (newest["notification"], newest["confirmation"], newest["webhook"]) == ("pending", "sent", None)
        assert {"form_id", "email_key"}.isdisjoint(newest)
        assert (await client.get(f"{ADMIN}/{id_}", headers=admin)).json() == newest
        assert (await client.get(f"{ADMIN}/{uuid4()}", headers=admin)).status_code == 404

    async def test_can_be_filtered_searched_and_sorted(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str]
    ) -> None:
        for name in ("One", "Two", "Three"):
            await send(client, filled_form(runtime, name=name, message=f"100% {name}"))
        three, two, _ = await listed(client, admin)
        await change(client, admin, two["id"], "answered")

        async def names(**params: str | int) -> list[str]:
            return [item["name"] for item in await listed(client, admin, **params)]

        assert await names(state="new") == ["Three", "One"]
        assert await names(state="answered") == ["Two"]
        assert await names(search="100% t") == ["Three", "Two"]
        assert await names(search="100_") == []
        assert await names(sort="created_at") == ["One", "Two", "Three"]
        assert await names(skip=1, limit=1) == ["Two"]
        assert await names(created_after=two["created_at"]) == ["Three"]
        assert await names(created_before=three["created_at"], state="new") == ["One"]

    @pytest.mark.parametrize(
        ("params", "status"),
        [
            ({"state": "gone"}, 422),
            ({"sort": "email"}, 422),
            ({"limit": 1000}, 422),
            ({"search": "\0"}, 422),
            ({"page": 1}, 422),
            ({"created_after": "2030-01-01T00:00:00"}, 422),
        ],
        ids=str,
    )
    async def test_refuses_a_bad_query(
        self, client: httpx.AsyncClient, admin: dict[str, str], params: dict[str, str], status: int
    ) -> None:
        assert (await client.get(ADMIN, headers=admin, params=params)).status_code == status


class TestChange:
    async def test_is_audited_once(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str], audit: MemoryAudit
    ) -> None:
        id_ = await send(client, filled_form(runtime))
        answered = await change(client, admin, id_, "answered")
        assert (answered.status_code, answered.json()["state"]) == (200, "answered")
        assert answered.json()["answered_at"] is not None
        await change(client, admin, id_, "answered")
        reopened = await change(client, admin, id_, "new")
        assert (reopened.json()["state"], reopened.json()["answered_at"]) == ("new", None)
        assert [(entry.action, entry.target_id, dict(entry.details)) for entry in audit.entries] == [
            ("contact_message.updated", id_, {"from": "new", "to": "answered"}),
            ("contact_message.updated", id_, {"from": "answered", "to": "new"}),
        ]
        assert "ada" not in str(audit.entries).lower()

    async def test_to_spam_and_back_sends_once(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str], outbox: Outbox
    ) -> None:
        id_ = await send(client, filled_form(runtime))
        await change(client, admin, id_, "spam")
        await runtime.queue.drain()
        assert (outbox.sent, await deliveries(runtime)) == ([], {})
        for state in ("new", "spam", "answered"):
            await change(client, admin, id_, state)
            await runtime.queue.drain()
        # The sender gets no late confirmation.
        assert (outbox.recipients, await deliveries(runtime)) == ([TEAM], {"notification": "sent"})

    @pytest.mark.parametrize("body", [{}, {"state": None}, {"state": "read"}, {"state": "new", "name": "x"}], ids=str)
    async def test_refuses_a_bad_body(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str], body: dict[str, object]
    ) -> None:
        id_ = await send(client, filled_form(runtime))
        assert (await client.patch(f"{ADMIN}/{id_}", headers=admin, json=body)).status_code == 422

    async def test_of_an_unknown_message_is_404(
        self, client: httpx.AsyncClient, admin: dict[str, str], audit: MemoryAudit
    ) -> None:
        assert (await change(client, admin, str(uuid4()), "spam")).status_code == 404
        assert audit.entries == []

    async def test_at_the_same_time_is_recorded_in_order(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
    ) -> None:
        headers = await live_sign_in(email="admin@example.com", role=Role.ADMIN)
        live_runtime.audit = audit = MemoryAudit()
        id_ = await send(live_client, filled_form(live_runtime))
        states = ["answered", "new"] * 5
        await asyncio.gather(*(change(live_client, headers, id_, state) for state in states))
        steps = [(entry.details["from"], entry.details["to"]) for entry in audit.entries]
        assert steps == [("new", "answered"), ("answered", "new")] * (len(steps) // 2) + (
            [("new", "answered")] if len(steps) % 2 else []
        )


class TestAccess:
    @pytest.mark.parametrize("who", ["anonymous", "user", "deactivated", "impersonated"])
    async def test_is_for_active_administrators_themselves(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, who: str
    ) -> None:
        id_ = await send(client, filled_form(runtime))
        headers: dict[str, str] = {}
        if who != "anonymous":
            headers = await sign_in(email="someone@example.com", role=Role.USER if who == "user" else Role.ADMIN)
        if who == "deactivated":
            async with runtime.database.transaction() as session:
                await session.execute(update(users).values(is_active=False))
        if who == "impersonated":
            headers = impersonated(runtime, "someone@example.com")
        expected = 401 if who == "anonymous" else 403
        assert (await client.get(ADMIN, headers=headers)).status_code == expected
        assert (await client.get(f"{ADMIN}/{id_}", headers=headers)).status_code == expected
        assert (await change(client, headers, id_, "spam")).status_code == expected
