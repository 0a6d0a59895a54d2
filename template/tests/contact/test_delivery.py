"""Emails and webhooks of messages: each sent once, and retried."""

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlmodel import col
from structlog.testing import capture_logs

from app.contact.delivery import MAX_ATTEMPTS, deliver_contact_message, deliver_due, delivering
from app.contact.mails import MAX_SUBJECT
from app.contact.models import ContactDelivery, DeliveryKind, DeliveryState
from app.core.db.models import utc_now
from app.core.ports.mail import MailRejectedError, NoMail
from app.core.runtime import Runtime
from app.kit.webhook_signatures import WebhookSigner
from tests.contact.conftest import ADA, TEAM, Outbox, configure, deliveries, filled_form, keep_mail, send
from tests.fakes.server import FakeServer, Received, Reply, serving

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
SENT = {"notification": "sent", "confirmation": "sent"}


class Crm:
    """The answers of the CRM, one for each request; 200 afterwards."""

    def __init__(self) -> None:
        self.replies: list[Reply] = []

    def answer(self, _request: Received) -> Reply:
        """Return the next answer."""
        return self.replies.pop(0) if self.replies else Reply()


@pytest.fixture
def crm() -> Crm:
    """The CRM, which accepts everything by default."""
    return Crm()


@pytest.fixture
def server(crm: Crm, runtime: Runtime) -> Iterator[FakeServer]:
    """The CRM's server. The application sends webhooks to it."""
    with serving(crm.answer) as server:
        connect(runtime, server)
        yield server


def connect(runtime: Runtime, server: FakeServer) -> None:
    """Set the URL and the secret of webhooks."""
    configure(runtime, CONTACT_WEBHOOK_URL=f"{server.url}/leads?key=7", CONTACT_WEBHOOK_SECRET=SecretStr(SECRET))


async def make_due(runtime: Runtime) -> None:
    """Make every pending delivery due, as if its delay were over."""
    async with runtime.database.transaction() as session:
        await session.execute(update(ContactDelivery).values(due_at=utc_now() - timedelta(seconds=1)))


async def attempts(runtime: Runtime, count: int) -> None:
    """Make attempts to send what is due."""
    for _ in range(count):
        await make_due(runtime)
        await deliver_due(runtime)


class TestEmails:
    async def test_go_to_the_team_and_to_the_sender(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        id_ = await send(
            client,
            filled_form(
                runtime,
                message="One\r\n\r\nTwo",
                extra_fields={"Email": "other@example.com"},
                source={"utm_source": "x"},
            ),
        )
        assert outbox.sent == []
        await runtime.queue.drain()
        confirmation, notification = sorted(outbox.sent, key=lambda mail: mail.template)
        assert notification.to == TEAM
        assert (notification.subject, notification.reply_to) == ("Contact form: Ada", ADA["email"])
        assert notification.data == {
            "paragraphs": ["One", "Two"],
            "fields": {"Name": "Ada", "Email": ADA["email"]},
            "other_fields": {"Email": "other@example.com"},
            "source": {"utm_source": "x"},
        }
        assert notification.key == f"contact-notification/{id_}"
        assert (confirmation.to, confirmation.reply_to, confirmation.key) == (
            ADA["email"],
            None,
            f"contact-confirmation/{id_}",
        )
        assert await deliveries(runtime) == SENT

    async def test_confirmations_contain_nothing_that_the_sender_typed(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        typed = {"name": "SPAM", "subject": "SPAM", "message": "SPAM", "company": "SPAM"}
        await send(client, {**filled_form(runtime), **typed})
        await runtime.queue.drain()
        (confirmation,) = (mail for mail in outbox.sent if mail.template == "contact_confirmation")
        assert "SPAM" not in confirmation.subject
        assert confirmation.data == {}

    async def test_have_a_subject_of_one_printable_line(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        await send(client, filled_form(runtime, subject="Zero\u200bwidth\u00a0and\ufeff " + "x" * 150))
        await runtime.queue.drain()
        (subject,) = (mail.subject for mail in outbox.sent if mail.to == TEAM)
        assert subject.startswith("Contact form: Zero width and xxx")
        assert subject.isprintable()
        assert len(subject) == MAX_SUBJECT

    async def test_cannot_be_answered_if_few_servers_accept_the_address(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        await send(client, filled_form(runtime, email="zoë@bücher.example"))
        await runtime.queue.drain()
        (notification,) = (mail for mail in outbox.sent if mail.to == TEAM)
        assert notification.reply_to is None
        assert notification.data["fields"] == {"Name": "Ada", "Email": "zoë@bücher.example"}

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ({"ADMIN_EMAIL": ""}, {"confirmation": "sent"}),
            ({"CONTACT_SEND_CONFIRMATION": False}, {"notification": "sent"}),
            ({"ADMIN_EMAIL": "", "CONTACT_SEND_CONFIRMATION": False}, {}),
        ],
        ids=str,
    )
    async def test_are_sent_as_the_settings_say(
        self,
        client: httpx.AsyncClient,
        runtime: Runtime,
        outbox: Outbox,
        values: dict[str, object],
        expected: dict[str, str],
    ) -> None:
        configure(runtime, **values)
        await send(client, filled_form(runtime))
        await runtime.queue.drain()
        assert await deliveries(runtime) == expected
        assert len(outbox.sent) == len(expected)

    async def test_are_not_planned_without_an_email_provider(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        runtime.mail = NoMail()
        await send(client, filled_form(runtime))
        await runtime.queue.drain()
        assert await deliveries(runtime) == {}

    async def test_that_are_rejected_are_not_retried(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        configure(runtime, ADMIN_EMAIL="")
        outbox.failures = [MailRejectedError("INVALID_ADDRESS")]
        await send(client, filled_form(runtime))
        await runtime.queue.drain()
        await attempts(runtime, 2)
        assert await deliveries(runtime) == {"confirmation": "failed"}
        assert outbox.sent == []


class TestRetries:
    async def test_a_failed_attempt_is_repeated_later(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        outbox.failures = [ConnectionError(f"no route to {ADA['email']}"), ConnectionError()]
        with capture_logs() as logs:
            await send(client, filled_form(runtime))
            await runtime.queue.drain()
        assert await deliveries(runtime) == {"notification": "pending", "confirmation": "pending"}
        assert await deliver_due(runtime) == 0
        await make_due(runtime)
        assert await deliver_due(runtime) == 2
        await attempts(runtime, 1)
        assert outbox.recipients == [ADA["email"], TEAM]
        assert await deliveries(runtime) == SENT
        assert [log["event"] for log in logs].count("contact_delivery_retried") == 2
        assert ADA["email"] not in str(logs)

    async def test_ends_with_the_attempts(self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox) -> None:
        configure(runtime, CONTACT_SEND_CONFIRMATION=False)
        outbox.failures = [ConnectionError()] * MAX_ATTEMPTS
        await send(client, filled_form(runtime))
        await runtime.queue.drain()
        await attempts(runtime, MAX_ATTEMPTS)
        assert await deliveries(runtime) == {"notification": "failed"}
        assert outbox.failures == []

    async def test_a_delivery_of_a_killed_process_is_made_when_its_lease_expires(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox
    ) -> None:
        id_ = await send(client, filled_form(runtime))
        async with runtime.database.transaction() as session:
            lease = {"attempts": 1, "due_at": utc_now() + timedelta(seconds=90)}
            await session.execute(update(ContactDelivery).values(lease))
        await runtime.queue.drain()
        await deliver_contact_message(runtime, id_, DeliveryKind.NOTIFICATION)
        assert outbox.sent == []
        await attempts(runtime, 1)
        assert outbox.recipients == [ADA["email"], TEAM]

    async def test_many_processes_send_once(self, live_client: httpx.AsyncClient, live_runtime: Runtime) -> None:
        outbox = keep_mail(live_runtime)
        id_ = await send(live_client, filled_form(live_runtime))
        await asyncio.gather(
            *(deliver_contact_message(live_runtime, id_, kind) for kind in SENT for _ in range(10)),
            *(deliver_due(live_runtime) for _ in range(5)),
        )
        await live_runtime.queue.drain()
        assert outbox.recipients == [ADA["email"], TEAM]

    async def test_happens_in_the_background_until_the_process_stops(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.contact.delivery.INTERVAL", timedelta(milliseconds=1))
        await send(client, filled_form(runtime))
        async with delivering(runtime), asyncio.timeout(5):
            while len(outbox.sent) < len(SENT):  # noqa: ASYNC110 - the sender has no event
                await asyncio.sleep(0.001)


class TestWebhook:
    async def test_is_signed(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, server: FakeServer
    ) -> None:
        configure(runtime, CONTACT_CONSENT_VERSION="2026-01")
        id_ = await send(
            client,
            filled_form(runtime, name="Zoë", consent="2026-01", extra_fields={"a": 1}, source={"utm_source": "x"}),
        )
        await runtime.queue.drain()
        (request,) = server.requests
        assert (request.method, request.path) == ("POST", "/leads?key=7")
        assert (
            WebhookSigner([SecretStr(SECRET)]).verify(request.headers, request.body)
            == f"contact_{id_.replace('-', '')}"
        )
        event: dict[str, Any] = json.loads(request.body)
        consent = event["data"].pop("consent")
        assert event == {
            "type": "contact.message.created",
            "timestamp": consent["at"],
            "data": {
                **ADA,
                "id": id_,
                "name": "Zoë",
                "phone": None,
                "company": None,
                "subject": None,
                "extra_fields": {"a": 1},
                "source": {"utm_source": "x"},
            },
        }
        assert consent["version"] == "2026-01"
        assert await deliveries(runtime) == {**SENT, "webhook": "sent"}
        assert len(outbox.sent) == 2

    async def test_is_retried_with_the_same_id(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, server: FakeServer, crm: Crm
    ) -> None:
        assert outbox.is_available
        crm.replies = [
            Reply(status=500),
            Reply(status=302, headers={"Location": "http://127.0.0.1/"}),
            Reply(status=404),
        ]
        await send(client, filled_form(runtime))
        await runtime.queue.drain()
        await attempts(runtime, 3)
        assert [request.path for request in server.requests] == ["/leads?key=7"] * 4
        assert len({request.headers["webhook-id"] for request in server.requests}) == 1
        assert (await deliveries(runtime))["webhook"] == "sent"

    async def test_ends_when_the_crm_is_gone(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, server: FakeServer, crm: Crm
    ) -> None:
        assert outbox.is_available
        crm.replies = [Reply(status=410)]
        await send(client, filled_form(runtime))
        with capture_logs() as logs:
            await runtime.queue.drain()
        await attempts(runtime, 2)
        assert len(server.requests) == 1
        assert (await deliveries(runtime))["webhook"] == "failed"
        assert "key=7" not in str(logs)

    async def test_cannot_be_sent_without_a_url(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, server: FakeServer
    ) -> None:
        assert outbox.is_available
        await send(client, filled_form(runtime))
        configure(runtime, CONTACT_WEBHOOK_URL="")
        await runtime.queue.drain()
        assert server.requests == []
        assert (await deliveries(runtime))["webhook"] == DeliveryState.FAILED

    async def test_that_the_crm_does_not_answer_is_retried(
        self, client: httpx.AsyncClient, runtime: Runtime, outbox: Outbox, server: FakeServer
    ) -> None:
        assert outbox.is_available
        server.stop()
        await send(client, filled_form(runtime))
        await runtime.queue.drain()
        async with runtime.database.reading() as session:
            is_webhook = col(ContactDelivery.kind) == DeliveryKind.WEBHOOK
            row = (await session.scalars(select(ContactDelivery).where(is_webhook))).one()
        assert (row.state, row.attempts) == (DeliveryState.PENDING, 1)
        assert row.reason == "OutboundHttpError: ConnectError"
