import base64
import json
from datetime import UTC, datetime

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from app.core.runtime import Runtime
from tests.auth.user_webhook_contract import UserWebhookContract, people
from tests.core.inbox.webhook_contract import WebhookCase, drain_inbox

URL = "/api/v1/public/webhooks/clerk"
SECRET = "whsec_" + base64.b64encode(b"clerk-webhook-secret-of-32-bytes").decode()
NOW = 1_790_000_000_000


@pytest.fixture(autouse=True)
def webhook_secret(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    monkeypatch.setenv("CLERK_WEBHOOK_SECRET", SECRET)


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


ADA = ("user_1", "ada@example.com", "Ada Lovelace", True)

CASE = WebhookCase(
    provider="clerk",
    url=URL,
    secret_setting="CLERK_WEBHOOK_SECRET",
    secret=SECRET,
    event=event,
    tampered=lambda: event(email="evil@example.com"),
    sign=signed,
    withheld=("192.0.2.1", "+49 30"),
)
send = CASE.send


class TestContract(UserWebhookContract):
    case = CASE
    person = ADA
    id_header = "svix-id"


class TestApply:
    async def test_a_change_is_applied(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        await send(client, event("user.updated", at=NOW + 1, email="new@example.com", last_name="King"), id_="msg_2")
        await drain_inbox(runtime)

        assert await people(runtime) == [("user_1", "new@example.com", "Ada King", True)]

    async def test_an_older_change_that_arrives_late_is_ignored(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        await send(client, event("user.updated", at=NOW + 5))
        await drain_inbox(runtime)
        await send(client, event("user.created", at=NOW, email="old@example.com"), id_="msg_2")
        await drain_inbox(runtime)

        assert await people(runtime) == [ADA]

    async def test_a_deleted_user_is_deactivated(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        await drain_inbox(runtime)
        await send(client, event("user.deleted", at=NOW + 5), id_="msg_2")
        await drain_inbox(runtime)

        assert [active for *_, active in await people(runtime)] == [False]

    async def test_an_unverified_address_is_omitted(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        address = {"id": "idn_1", "email_address": "ada@example.com", "verification": {"status": "unverified"}}
        await send(client, event(email_addresses=[address]))
        await drain_inbox(runtime)

        assert await people(runtime) == [("user_1", None, "Ada Lovelace", True)]

    async def test_other_events_are_ignored(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event("session.created"))

        assert [stored.status for stored in await drain_inbox(runtime)] == ["done"]
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
    async def test_a_malformed_event_is_stored_with_the_reason(
        self, client: httpx.AsyncClient, runtime: Runtime, body: bytes, reason: str
    ) -> None:
        assert (await send(client, body)).status_code == 202
        (stored,) = await drain_inbox(runtime)

        assert stored.status == "failed"
        assert stored.error is not None
        assert reason in stored.error
        assert await people(runtime) == []
