"""The webhook of Supabase."""

import asyncio
import json
from datetime import timedelta

import httpx
import pytest

from app.core.runtime import Runtime
from tests.auth.supabase_events import ADA, ID, NOW, SECRET, URL, event, people, signed, verified, webhook_secret
from tests.core.inbox.webhook_contract import WebhookCase, WebhookContract, drain_inbox

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


class TestContract(WebhookContract):
    case = CASE


class TestReceive:
    async def test_a_new_user_is_created(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await send(client, event())
        (stored,) = await drain_inbox(runtime)

        assert (answer.status_code, answer.json()) == (202, {"received": True})
        assert (stored.provider, stored.event_id, stored.status) == ("supabase", "msg_1", "done")
        assert await people(runtime) == [ADA]

    async def test_twenty_concurrent_deliveries_create_one_user(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        await asyncio.gather(*(send(live_client, event()) for _ in range(20)))
        await drain_inbox(live_runtime)

        assert await people(live_runtime) == [ADA]

    async def test_a_replay_under_another_id_is_rejected(self, client: httpx.AsyncClient) -> None:
        body = event()
        headers = signed(body) | {"webhook-id": "msg_2"}

        assert (await client.post(URL, content=body, headers=headers)).status_code == 400


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
