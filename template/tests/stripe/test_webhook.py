"""Stripe's webhook: the shared contract, and what only Stripe sends."""

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from typing import Any, ClassVar

import httpx
import pytest

from app.core.config.settings import ConfigurationError, load_settings
from app.core.inbox.service import list_events
from app.core.lifecycle import running
from app.core.runtime import Runtime
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.dev.servers.stripe.webhooks import Message
from app.stripe.api import StripeApi
from app.stripe.settings import StripeSettings
from tests.conftest import make_runtime
from tests.core.inbox.shop import handle
from tests.core.inbox.webhook_contract import WebhookCase, WebhookContract
from tests.stripe.conftest import Buyer

SECRET = "whsec_Zm9yIHRoZSB0ZXN0cyBvZiB0aGUgd2ViaG9vaw"
PATH = "/api/v1/public/webhooks/stripe"


def event(kind: str = "customer.subscription.updated", **found: object) -> bytes:
    """An event about a subscription."""
    found = {"id": "sub_1", "object": "subscription", "customer": "cus_1", "email": "private@example.com", **found}
    return json.dumps({"id": "evt_1", "object": "event", "type": kind, "data": {"object": found}}).encode()


def sign(body: bytes, *, id_: str = "", at: datetime | None = None, secret: str = SECRET) -> dict[str, str]:  # noqa: ARG001 - the contract's signature
    """The header of a signed event. Stripe has no header with an id."""
    moment = int((at or datetime.now(UTC)).timestamp())
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return {"Stripe-Signature": f"t={moment},v1={digest}"}


class TestContract(WebhookContract):
    case: ClassVar = WebhookCase(
        provider="stripe",
        url=PATH,
        secret_setting="STRIPE_WEBHOOK_SECRET",
        secret=SECRET,
        event=event,
        tampered=lambda: event(id="sub_2"),
        sign=sign,
        withheld=("private@example.com",),
    )


class TestSignature:
    @pytest.fixture(autouse=True)
    def secret(self, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - the order matters
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", f"{SECRET}, whsec_old")

    async def send(self, client: httpx.AsyncClient, body: bytes, header: str) -> httpx.Response:
        return await client.post(PATH, content=body, headers={b"Stripe-Signature": header.encode()})

    async def test_both_secrets_are_accepted_during_a_rotation(self, client: httpx.AsyncClient) -> None:
        for secret in (SECRET, "whsec_old"):
            header = sign(event(), secret=secret)["Stripe-Signature"]
            assert (await self.send(client, event(), header)).status_code == 202

    async def test_other_secrets_are_rejected(self, client: httpx.AsyncClient) -> None:
        for secret in ("", "whsec_", "whsec_other", f"{SECRET}, whsec_old", "None"):
            header = sign(event(), secret=secret)["Stripe-Signature"]
            assert (await self.send(client, event(), header)).status_code == 400

    async def test_malformed_headers_are_rejected(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        now, good = int(time.time()), sign(event())["Stripe-Signature"]
        digest = good.partition("v1=")[2]
        headers = (
            "", "t", "t=", "t=,v1=", f"t={now}", f"v1={digest}", f"t={now},v0={digest}", f"t=x,v1={digest}",
            f"t={now}.0,v1={digest}", f"t=-{now},v1={digest}", f"t={now},v1=", f"t={now},v1=é", "=" * 500,
            f"t={10**400},v1={digest}", f"t=٣,v1={digest}", good.replace("v1=", "v1=x"), "," * 3000,
        )  # fmt: skip
        for header in headers:
            response = await self.send(client, event(), header)
            assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_SIGNATURE"), header
        assert await list_events(runtime) == []

    async def test_malformed_bodies_are_rejected(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        bodies: tuple[bytes, ...] = (
            b"", b"null", b"[]", b"1", b'"a"', b"{}", b"\xff", b"{", b"[" * 5000, b'{"id": 1, "type": "a"}',
            b'{"id": "evt_1"}', b'{"id": "evt_1", "type": "invoice.paid", "data": null}',
            b'{"id": "evt_1", "type": "invoice.paid", "data": {"object": []}}',
        )  # fmt: skip
        for body in bodies:
            response = await self.send(client, body, sign(body)["Stripe-Signature"])
            assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_SIGNATURE"), body[:50]
        assert await list_events(runtime) == []

    async def test_odd_objects_fail_in_the_inbox(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        odd: tuple[dict[str, Any], ...] = (
            {"id": 7}, {"object": []}, {"object": "invoice", "parent": [], "id": None}, {"id": {}, "object": "charge"},
        )  # fmt: skip
        for number, found in enumerate(odd):
            body = event(**found).replace(b"evt_1", f"evt_{number}".encode())
            assert (await self.send(client, body, sign(body)["Stripe-Signature"])).status_code == 202
        await runtime.queue.drain()
        assert {stored.status for stored in await list_events(runtime)} <= {"failed", "done"}

    async def test_other_events_are_acknowledged_and_dropped(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        body = event("product.created")
        assert (await self.send(client, body, sign(body)["Stripe-Signature"])).status_code == 202
        assert await list_events(runtime) == []


class TestDelivery:
    async def test_the_order_and_the_repetition_of_events_do_not_matter(self, buyer: Buyer) -> None:
        buyer.fake.faults.reverse, buyer.fake.faults.repeat = True, 3
        await buyer.subscribe(plan="enterprise")
        assert (await buyer.status())["plan"] == "enterprise"

    async def test_a_replayed_event_does_not_bring_access_back(self, buyer: Buyer) -> None:
        await buyer.buy(plan="enterprise")
        messages: list[Message] = []

        async def record(message: Message) -> int:
            messages.append(message)
            return 200

        await buyer.fake.deliver(record)
        (subscription,) = buyer.fake.account.all(Subscription)
        await buyer.runtime.resource(StripeApi).cancel_subscription(subscription.id)
        for message in messages:
            await buyer.client.post(message.url, content=message.body, headers=message.headers)
        await buyer.runtime.queue.drain()
        assert (await buyer.status())["plan"] == "free"

    async def test_an_outage_delays_an_event(self, buyer: Buyer) -> None:
        await buyer.buy(plan="enterprise")
        buyer.fake.faults.down = -1
        await buyer.deliver()
        assert (await buyer.status())["plan"] == "free"
        assert {stored.status for stored in await list_events(buyer.runtime)} == {"pending"}

        buyer.fake.faults.down = 0
        # Another process, whose circuit to Stripe is closed.
        async with running(make_runtime(buyer.runtime.database), background=False) as other:
            await handle(other)
        assert (await buyer.status())["plan"] == "enterprise"


class TestSettings:
    def test_production_needs_both_secrets(self, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002
        for name in ("STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET", "STRIPE_API_BASE"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(ConfigurationError) as caught:
            load_settings([StripeSettings])
        assert [problem.partition(" ")[0] for problem in caught.value.problems] == [
            "STRIPE_SECRET_KEY",
            "STRIPE_WEBHOOK_SECRET",
        ]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("STRIPE_SECRET_KEY", "pk_test_12345678"),
            ("STRIPE_SECRET_KEY", "sk_test_a b"),
            ("STRIPE_WEBHOOK_SECRET", "whsec_new,"),
            ("STRIPE_PRICE_ID_MONTHLY", "prod_1"),
            ("STRIPE_PRICE_ID_YEARLY", "1900"),
            ("STRIPE_API_BASE", "ftp://stripe"),
            ("STRIPE_GRACE_DAYS", "-1"),
        ],
    )
    def test_malformed_settings_are_named(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError, match=name) as caught:
            load_settings([StripeSettings])
        assert value not in str(caught.value)

    def test_production_needs_a_live_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(ConfigurationError, match="STRIPE_SECRET_KEY is a key of the test mode"):
            load_settings([StripeSettings])

    def test_the_key_is_not_sent_over_plain_http(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        monkeypatch.setenv("STRIPE_API_BASE", "http://stripe.example.com")
        with pytest.raises(ConfigurationError, match="STRIPE_API_BASE must start with https://"):
            load_settings([StripeSettings])
