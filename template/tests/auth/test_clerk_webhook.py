import asyncio
import base64
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from app.core.inbox.models import InboxEvent
from app.core.inbox.service import list_events, process_inbox_event
from app.core.runtime import Runtime
from app.users.models import user_identities, users

URL = "/api/v1/public/webhooks/clerk"
SECRET = "whsec_" + base64.b64encode(b"clerk-webhook-secret-of-32-bytes").decode()
NOW = 1_790_000_000_000


@pytest.fixture
def secret() -> str:
    return SECRET


@pytest.fixture(autouse=True)
def webhook_secret(environment: None, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:  # noqa: ARG001 - the order matters
    monkeypatch.setenv("CLERK_WEBHOOK_SECRET", secret)


def event(kind: str = "user.created", *, at: int = NOW, email: str = "ada@example.com", **changes: object) -> bytes:
    user = {
        "id": "user_1",
        "object": "user",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "primary_email_address_id": "idn_1",
        "email_addresses": [{"id": "idn_1", "email_address": email, "verification": {"status": "verified"}}],
        "phone_numbers": [{"phone_number": "+49 30 1234567"}],
        "updated_at": at,
    }
    if kind == "user.deleted":
        user = {"id": "user_1", "object": "user", "deleted": True}
    attributes = {"http_request": {"client_ip": "192.0.2.1"}}
    return json.dumps(
        {"type": kind, "object": "event", "timestamp": at, "data": user | changes, "event_attributes": attributes}
    ).encode()


def signed(body: bytes, *, id_: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
    sent = at or datetime.now(UTC)
    signature = Webhook(SECRET).sign(id_, sent, body.decode())
    return {"svix-id": id_, "svix-timestamp": str(int(sent.timestamp())), "svix-signature": signature}


async def send(client: httpx.AsyncClient, body: bytes, *, id_: str = "msg_1") -> httpx.Response:
    return await client.post(URL, content=body, headers=signed(body, id_=id_))


async def work_off(runtime: Runtime) -> Sequence[InboxEvent]:
    """Does all that is to be done, and gives the inbox."""
    await runtime.queue.drain()
    return await list_events(runtime)


async def people(runtime: Runtime) -> list[tuple[str, str | None, str | None, bool]]:
    statement = (
        select(user_identities.c.subject, users.c.email, users.c.full_name, users.c.is_active)
        .join(users, users.c.id == user_identities.c.user_id)
        .order_by(user_identities.c.subject)
    )
    async with runtime.database.reading() as session:
        return [tuple(row) for row in (await session.execute(statement)).all()]


ADA = ("user_1", "ada@example.com", "Ada Lovelace", True)


class TestReceive:
    async def test_a_new_user_is_made(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await send(client, event())
        (stored,) = await work_off(runtime)

        assert (answer.status_code, answer.json()) == (202, {"received": True})
        assert (stored.provider, stored.event_id, stored.status) == ("clerk", "msg_1", "done")
        assert await people(runtime) == [ADA]

    async def test_only_what_is_needed_is_stored(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        (stored,) = await work_off(runtime)

        assert "192.0.2.1" not in json.dumps(stored.payload)
        assert "+49 30" not in json.dumps(stored.payload)

    async def test_an_event_that_is_sent_again_is_acknowledged_and_dropped(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        for _ in range(3):
            assert (await send(client, event())).status_code == 202

        assert len(await work_off(runtime)) == 1

    async def test_twenty_at_once_are_one(self, live_client: httpx.AsyncClient, live_runtime: Runtime) -> None:
        answers = await asyncio.gather(*(send(live_client, event()) for _ in range(20)))

        assert {answer.status_code for answer in answers} == {202}
        assert len(await work_off(live_runtime)) == 1
        assert await people(live_runtime) == [ADA]

    async def test_a_wrong_signature_is_refused(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        body = event()
        tampered = event(email="evil@example.com")
        old = signed(body, at=datetime.now(UTC) - timedelta(minutes=6))
        for content, headers in ((tampered, signed(body)), (body, old), (body, {}), (body, {"svix-id": "msg_1"})):
            answer = await client.post(URL, content=content, headers=headers)

            assert answer.status_code == 400
            assert answer.json()["error"]["code"] == "INVALID_SIGNATURE"
        assert await work_off(runtime) == []

    async def test_a_replay_under_another_id_is_refused(self, client: httpx.AsyncClient) -> None:
        body = event()

        assert (await client.post(URL, content=body, headers=signed(body) | {"svix-id": "msg_2"})).status_code == 400

    async def test_a_burst_is_no_reason_to_refuse(self, client: httpx.AsyncClient) -> None:
        assert (await send(client, event())).headers["X-RateLimit-Limit"] == "6000"

    @pytest.mark.parametrize("secret", [""])
    async def test_without_a_secret_there_is_no_such_address(self, client: httpx.AsyncClient) -> None:
        answer = await send(client, event())

        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NOT_FOUND"


class TestApply:
    async def test_a_change_is_taken_over(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        await send(client, event("user.updated", at=NOW + 1, email="new@example.com", last_name="King"), id_="msg_2")
        await work_off(runtime)

        assert await people(runtime) == [("user_1", "new@example.com", "Ada King", True)]

    async def test_what_is_done_is_done_even_if_the_process_dies_now(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        await send(client, event())
        (stored,) = await list_events(runtime)
        await process_inbox_event(runtime, str(stored.id))
        (handled,) = await list_events(runtime)

        assert handled.status == "done"
        assert await people(runtime) == [ADA]

    async def test_an_older_change_that_comes_late_is_not(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event("user.updated", at=NOW + 5))
        await work_off(runtime)
        await send(client, event("user.created", at=NOW, email="old@example.com"), id_="msg_2")
        await work_off(runtime)

        assert await people(runtime) == [ADA]

    async def test_who_is_deleted_is_shut_out(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        await work_off(runtime)
        await send(client, event("user.deleted", at=NOW + 5), id_="msg_2")
        await work_off(runtime)

        assert [active for *_, active in await people(runtime)] == [False]

    async def test_an_address_that_is_not_verified_is_left_out(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        address = {"id": "idn_1", "email_address": "ada@example.com", "verification": {"status": "unverified"}}
        await send(client, event(email_addresses=[address]))
        await work_off(runtime)

        assert await people(runtime) == [("user_1", None, "Ada Lovelace", True)]

    async def test_other_events_are_none_of_our_business(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event("session.created"))

        assert [stored.status for stored in await work_off(runtime)] == ["done"]
        assert await people(runtime) == []

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"not JSON", "has no type"),
            (b"[]", "has no type"),
            (b"{}", "has no type"),
            (b'{"type": ["user.created"]}', "has no type"),
            (b'{"type": "user.created"}', "data.id"),
            (b'{"type": "user.created", "data": []}', "data.id"),
            (b'{"type": "user.created", "data": {"id": 5}}', "data.id"),
            (event(id="x" * 300), "data.id"),
            (event(id="a\x00"), "data.id"),
            (event(updated_at=None), "updated_at"),
            (event(updated_at="yesterday"), "updated_at"),
            (event(updated_at=True), "updated_at"),
            (event(updated_at=10**30), "updated_at"),
            (b'{"type": "user.deleted", "data": {"id": "user_1"}}', "timestamp"),
        ],
        ids=range(14),
    )
    async def test_a_signed_event_that_makes_no_sense_is_kept_with_the_reason(
        self, client: httpx.AsyncClient, runtime: Runtime, body: bytes, reason: str
    ) -> None:
        assert (await send(client, body)).status_code == 202
        (stored,) = await work_off(runtime)

        assert stored.status == "failed"
        assert stored.error is not None
        assert reason in stored.error
        assert await people(runtime) == []
