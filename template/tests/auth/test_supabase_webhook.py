"""The webhook of Supabase."""

import json
from datetime import timedelta

import httpx
import pytest

from app.core.runtime import Runtime
from tests.auth.supabase_events import ADA, ID, NOW, SECRET, URL, event, signed, verified, webhook_secret
from tests.auth.user_webhook_contract import UserWebhookContract, people
from tests.core.inbox.webhook_contract import WebhookCase, drain_inbox

__all__ = ["webhook_secret"]


CASE = WebhookCase(
    provider="supabase",
    url=URL,
    secret_setting="SUPABASE_WEBHOOK_SECRET",
    secret=SECRET,
    event=event,
    tampered=lambda: event(email="evil@example.com"),
    sign=signed,
    withheld=("$2a$",),
)

send = CASE.send


class TestContract(UserWebhookContract):
    case = CASE
    person = ADA
    id_header = "webhook-id"


class TestApply:
    async def test_a_change_is_applied(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        changed = event("UPDATE", at=NOW + timedelta(seconds=1), raw_user_meta_data={"name": "Ada King"})
        await send(client, changed, id_="msg_2")
        await drain_inbox(runtime)

        assert await people(runtime) == [(ID, "ada@example.com", "Ada King", True)]

    @pytest.mark.parametrize("confirmed_at", [None, False, 0, []], ids=repr)
    async def test_an_unconfirmed_address_is_omitted(
        self, client: httpx.AsyncClient, runtime: Runtime, confirmed_at: object
    ) -> None:
        await send(client, event(email_confirmed_at=confirmed_at))
        await drain_inbox(runtime)

        assert await people(runtime) == [(ID, None, "Ada Lovelace", True)]
        assert await verified(runtime) == [False]

    async def test_a_confirmed_address_is_verified(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        await drain_inbox(runtime)

        assert await verified(runtime) == [True]

    async def test_an_older_trigger_does_not_verify_addresses(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        content = json.loads(event())
        del content["record"]["email_confirmed_at"]
        await send(client, json.dumps(content).encode())
        await drain_inbox(runtime)

        assert await people(runtime) == [ADA]
        assert await verified(runtime) == [False]

    async def test_an_older_change_that_arrives_late_is_ignored(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        await send(client, event("UPDATE", at=NOW + timedelta(seconds=5)))
        await drain_inbox(runtime)
        await send(client, event(email="old@example.com"), id_="msg_2")
        await drain_inbox(runtime)

        assert await people(runtime) == [ADA]

    @pytest.mark.parametrize(
        "gone", [event("DELETE", at=NOW + timedelta(seconds=5)), event("UPDATE", deleted_at=NOW.isoformat())]
    )
    async def test_a_deleted_user_is_deactivated(
        self, client: httpx.AsyncClient, runtime: Runtime, gone: bytes
    ) -> None:
        await send(client, event())
        await drain_inbox(runtime)
        await send(client, gone, id_="msg_2")
        await drain_inbox(runtime)

        assert [active for *_, active in await people(runtime)] == [False]

    async def test_other_tables_are_ignored(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, b'{"type": "INSERT", "schema": "public", "table": "users", "record": {"id": "x"}}')

        assert [stored.status for stored in await drain_inbox(runtime)] == ["done"]
        assert await people(runtime) == []

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"not JSON", "type"),
            (b"{}", "type"),
            (event("TRUNCATE"), "type"),
            (event("INSERT", id=None), "no id"),
            (event("INSERT", id=["x"]), "no id"),
            (b'{"type": "INSERT", "schema": "auth", "table": "users", "record": []}', "no id"),
            (event(at=None), "timestamp"),
            (event(at="yesterday"), "timestamp"),
            (event(at="2026-11-01T12:00:00"), "timestamp"),
            (event(at=5), "timestamp"),
        ],
        ids=range(10),
    )
    async def test_a_malformed_event_is_stored_with_the_reason(
        self, client: httpx.AsyncClient, runtime: Runtime, body: bytes, reason: str
    ) -> None:
        assert (await send(client, body)).status_code == 202
        (stored,) = await drain_inbox(runtime)

        assert stored.status == "failed"
        assert stored.error is not None
        assert reason in stored.error
        assert await people(runtime) == []
