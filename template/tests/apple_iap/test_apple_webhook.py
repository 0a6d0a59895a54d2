"""App Store Server Notifications: each leads to the state that the App Store Server API describes."""

import asyncio

import httpx
import jwt
import pytest
import structlog

from app.core.inbox.models import InboxStatus
from app.core.inbox.service import list_events, process_inbox_event
from app.core.runtime import Runtime
from app.dev.servers.app_store.certificates import Chain
from app.dev.servers.app_store.payloads import Signer
from app.dev.servers.app_store.store import APP_ID, AppStore
from app.dev.servers.app_store.subscriptions import Notification
from app.payments.port import SubscriptionStatus
from tests.apple_iap.conftest import WEBHOOK, Postman
from tests.core.inbox.webhook_contract import drain_inbox
from tests.payments.store_purchases import MONTHLY


async def test_a_purchase_is_stored(postman: Postman, app_store: AppStore) -> None:
    with app_store.changing() as state:
        item = state.buy(MONTHLY)
    (event,) = await postman.deliver()
    stored = await postman.stored(item)

    assert (event.provider, event.status) == ("apple", InboxStatus.DONE)
    assert stored is not None
    assert (stored.plan, stored.status, stored.user_id) == ("pro", SubscriptionStatus.ACTIVE, None)
    assert stored.sandbox


async def test_only_the_needed_fields_are_kept(postman: Postman, app_store: AppStore) -> None:
    with app_store.changing() as state:
        item = state.buy(MONTHLY, account="0198f2a8-0000-7000-8000-000000000001")
    (event,) = await postman.deliver()

    assert event.payload == {
        "type": "SUBSCRIBED",
        "subtype": "INITIAL_BUY",
        "product_type": "Auto-Renewable Subscription",
        "original_transaction_id": item.original_id,
    }
    assert event.event_id == app_store.state.notifications[0].id


async def test_a_repeated_notification_is_dropped(postman: Postman, app_store: AppStore) -> None:
    with app_store.changing() as state:
        state.buy(MONTHLY)
    events = await postman.deliver(postman.mailbag * 3)

    assert [event.status for event in events] == [InboxStatus.DONE]


async def test_many_deliveries_at_once_are_one_event(
    live_client: httpx.AsyncClient, live_runtime: Runtime, app_store: AppStore
) -> None:
    app_store.state.buy(MONTHLY)
    body = {"signedPayload": app_store.signer.notification(app_store.state.notifications[0])}
    responses = await asyncio.gather(*(live_client.post(WEBHOOK, json=body) for _ in range(10)))

    assert {response.status_code for response in responses} == {202}
    assert len(await drain_inbox(live_runtime)) == 1


async def test_an_event_that_was_stored_survives_a_crash(
    postman: Postman, runtime: Runtime, app_store: AppStore
) -> None:
    with app_store.changing() as state:
        item = state.buy(MONTHLY)
    await postman.send(postman.mailbag[0])
    # The job is lost, as when the process is killed: the sweeper finds the event in the table.
    (event,) = await list_events(runtime)
    await process_inbox_event(runtime, str(event.id))

    assert await postman.stored(item) is not None


async def test_a_burst_is_not_rate_limited(postman: Postman, app_store: AppStore) -> None:
    with app_store.changing() as state:
        state.announce("TEST")
    response = await postman.send(postman.mailbag[0])

    assert int(response.headers["X-RateLimit-Limit"]) >= 1000


@pytest.mark.parametrize("type_", ["TEST", "SOMETHING_NEW"])
async def test_a_notification_without_a_subscription_is_kept(postman: Postman, app_store: AppStore, type_: str) -> None:
    with app_store.changing() as state:
        state.announce(type_)
    (event,) = await postman.deliver()

    assert (event.status, event.payload) == (InboxStatus.DONE, {"type": type_, "subtype": None})


async def test_an_unknown_notification_about_a_subscription_updates_it(postman: Postman, app_store: AppStore) -> None:
    item = app_store.state.buy(MONTHLY)
    app_store.state.notifications.clear()
    with app_store.changing() as state:
        state.announce("SOMETHING_NEW", None, item)
    (event,) = await postman.deliver()

    assert (event.status, event.payload["type"]) == (InboxStatus.DONE, "SOMETHING_NEW")
    assert await postman.stored(item) is not None


async def test_while_the_app_store_is_down_the_event_waits(postman: Postman, app_store: AppStore) -> None:
    with app_store.changing() as state:
        item = state.buy(MONTHLY)
    app_store.fault = 503
    (event,) = await postman.deliver()

    assert (event.status, event.attempts) == (InboxStatus.PENDING, 1)
    assert event.error is not None
    assert "503" in event.error
    assert await postman.stored(item) is None


class TestRefused:
    """Nothing is stored, and the App Store sends the notification again where that can help."""

    async def refused(self, runtime: Runtime, response: httpx.Response, code: str, status: int = 400) -> None:
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert await list_events(runtime) == []

    @pytest.fixture
    def notification(self, app_store: AppStore) -> Notification:
        app_store.state.buy(MONTHLY, sandbox=False)
        return app_store.state.notifications[0]

    async def test_a_forged_notification(
        self, postman: Postman, runtime: Runtime, app_store: AppStore, notification: Notification
    ) -> None:
        own = Signer(chain=Chain.create(f"{app_store.url}/ocsp"), bundle_id=app_store.signer.bundle_id, app_id=APP_ID)

        await self.refused(runtime, await postman.send(own.notification(notification)), "INVALID_SIGNATURE")

    async def test_a_genuine_notification_of_another_app(
        self, postman: Postman, runtime: Runtime, app_store: AppStore, notification: Notification
    ) -> None:
        other = Signer(chain=app_store.chain, bundle_id="com.example.other", app_id=APP_ID)

        await self.refused(runtime, await postman.send(other.notification(notification)), "WRONG_APP")

    async def test_a_notification_with_another_apps_transaction(
        self, postman: Postman, runtime: Runtime, app_store: AppStore, notification: Notification
    ) -> None:
        signed = app_store.signer.notification(notification)
        other = Signer(chain=app_store.chain, bundle_id="com.example.other", app_id=APP_ID)
        assert notification.subscription is not None
        transaction = other.transaction(notification.subscription, notification.at)
        payload = jwt.decode(signed, options={"verify_signature": False})
        payload["data"]["signedTransactionInfo"] = transaction

        await self.refused(runtime, await postman.send(app_store.chain.sign(payload)), "WRONG_APP")

    async def test_while_the_ocsp_server_is_down(
        self, postman: Postman, runtime: Runtime, app_store: AppStore, notification: Notification
    ) -> None:
        app_store.ocsp_fault = 500
        signed = app_store.signer.notification(notification)

        await self.refused(runtime, await postman.send(signed), "VERIFICATION_UNAVAILABLE", 503)

    async def test_a_notification_without_an_id(
        self, postman: Postman, runtime: Runtime, app_store: AppStore, notification: Notification
    ) -> None:
        nameless = notification.model_copy(update={"id": ""})

        await self.refused(runtime, await postman.send(app_store.signer.notification(nameless)), "BAD_REQUEST")

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"signedPayload": 5}'], ids=range(4))
    async def test_a_body_without_a_signed_payload(
        self, client: httpx.AsyncClient, runtime: Runtime, body: bytes
    ) -> None:
        response = await client.post(WEBHOOK, content=body, headers={"Content-Type": "application/json"})

        await self.refused(runtime, response, "VALIDATION_ERROR", 422)

    async def test_nothing_personal_is_logged(
        self, postman: Postman, app_store: AppStore, caplog: pytest.LogCaptureFixture
    ) -> None:
        account = "0198f2a8-0000-7000-8000-000000000001"
        with app_store.changing() as state:
            state.buy(MONTHLY, account=account)
        (signed,) = postman.mailbag
        with structlog.testing.capture_logs() as logs:
            await postman.send(signed + "A")
            await postman.deliver()

        assert logs
        assert not [each for each in (str(logs), caplog.text) if account in each or signed[:100] in each]


class TestWithoutSettings:
    @pytest.fixture(autouse=True)
    def unset(self, app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in app_store.settings:
            monkeypatch.delenv(name)

    async def test_there_is_no_webhook(self, client: httpx.AsyncClient) -> None:
        response = await client.post(WEBHOOK, json={"signedPayload": "a.b.c"})

        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
