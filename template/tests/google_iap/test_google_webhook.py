"""Real-time developer notifications: each leads to the state that the Google Play Developer API describes."""

import asyncio
import base64
import json

import httpx
import pytest
import structlog

from app.core.inbox.models import InboxStatus
from app.core.inbox.service import UnusableEventError, list_events, process_inbox_event
from app.core.runtime import Runtime
from app.dev.servers.google_play.store import ApiError, GooglePlay, push_body
from app.google_iap.google_play import GooglePlay as Connection
from app.google_iap.google_webhook import apply_google_notification
from app.google_iap.jobs import (
    acknowledge_google_purchase,
    acknowledge_google_purchases,
    poll_voided_google_purchases,
)
from app.google_iap.models import id_of
from app.payments.port import SubscriptionStatus
from tests.conftest import SignIn
from tests.core.inbox.webhook_contract import drain_inbox
from tests.google_iap.conftest import WEBHOOK, Postman, stored_purchase
from tests.payments.store_purchases import MONTHLY, identity, plan_of


def encoded(kind: str, **content: object) -> str:
    """Return the data of a message about a purchase in this app."""
    return base64.b64encode(json.dumps({"packageName": "com.example.app", kind: content}).encode()).decode()


def changed(token: str) -> str:
    """Return the data of a message about a subscription."""
    return encoded("subscriptionNotification", notificationType=4, purchaseToken=token)


def voided(order: str) -> str:
    """Return the data of a message about a voided order."""
    return encoded("voidedPurchaseNotification", purchaseToken="a-token", orderId=order, productType=1)


async def test_a_purchase_gives_its_plan(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, google_play: GooglePlay
) -> None:
    user = await identity(client, await sign_in())
    with google_play.changing() as state:
        item = state.buy(MONTHLY, account=str(user))
    (event,) = await postman.deliver()
    stored = await postman.stored(item)

    assert (event.provider, event.status) == ("google", InboxStatus.DONE)
    assert stored is not None
    assert (stored.plan, stored.status, stored.user_id) == ("pro", SubscriptionStatus.ACTIVE, user)
    assert stored.sandbox
    assert await plan_of(runtime, user) == "pro"
    assert item.acknowledged


async def test_only_the_needed_fields_are_kept(runtime: Runtime, postman: Postman, google_play: GooglePlay) -> None:
    with google_play.changing() as state:
        item = state.buy(MONTHLY)
    (event,) = await postman.deliver()

    assert event.payload == {"type": "subscription", "notification_type": 4, "token_id": id_of(item.token)}
    assert event.event_id == google_play.state.messages[0].id
    assert await stored_purchase(runtime, item.token) is not None


async def test_a_replayed_message_is_dropped(postman: Postman, google_play: GooglePlay) -> None:
    with google_play.changing() as state:
        state.buy(MONTHLY)
    events = await postman.deliver(postman.mailbag * 3)

    assert [event.status for event in events] == [InboxStatus.DONE]


async def test_many_deliveries_at_once_are_one_event(
    live_client: httpx.AsyncClient, live_runtime: Runtime, google_play: GooglePlay
) -> None:
    google_play.state.buy(MONTHLY)
    body, headers = push_body(google_play.state.messages[0]), google_play.push_headers()
    responses = await asyncio.gather(*(live_client.post(WEBHOOK, content=body, headers=headers) for _ in range(10)))

    assert {response.status_code for response in responses} == {202}
    assert len(await drain_inbox(live_runtime)) == 1


async def test_an_event_that_was_stored_survives_a_crash(
    postman: Postman, runtime: Runtime, google_play: GooglePlay
) -> None:
    with google_play.changing() as state:
        item = state.buy(MONTHLY)
    headers, body = postman.mailbag[0]
    await postman.post(body, headers)
    # The job is lost, as when the process is killed: the sweeper finds the event in the table.
    (event,) = await list_events(runtime)
    await process_inbox_event(runtime, str(event.id))

    assert await postman.stored(item) is not None


async def test_a_burst_is_not_rate_limited(postman: Postman, google_play: GooglePlay) -> None:
    with google_play.changing() as state:
        state.send({"testNotification": {"version": "1.0"}})
    headers, body = postman.mailbag[0]
    response = await postman.post(body, headers)

    assert int(response.headers["X-RateLimit-Limit"]) >= 1000


@pytest.mark.parametrize(
    ("content", "payload"),
    [
        ({"testNotification": {"version": "1.0"}}, {"type": "test"}),
        ({"somethingNew": {"purchaseToken": "abc"}}, {"type": "unknown"}),
        ({"oneTimeProductNotification": {"purchaseToken": "abc", "sku": "coins"}}, {"type": "one_time_product"}),
        (
            {"voidedPurchaseNotification": {"purchaseToken": "abc", "orderId": "GPA.1", "productType": 2}},
            {"type": "voided_purchase", "product_type": 2, "order_id": "GPA.1"},
        ),
    ],
)
async def test_a_notification_about_anything_else_is_kept(
    postman: Postman, google_play: GooglePlay, content: dict[str, object], payload: dict[str, object]
) -> None:
    with google_play.changing() as state:
        state.send(content)
    (event,) = await postman.deliver()

    assert (event.status, event.payload) == (InboxStatus.DONE, payload)


async def test_an_unknown_notification_about_a_subscription_updates_it(
    postman: Postman, google_play: GooglePlay
) -> None:
    item = google_play.state.buy(MONTHLY)
    google_play.state.messages.clear()
    with google_play.changing() as state:
        state.notify(99, item)
    (event,) = await postman.deliver()

    assert (event.status, event.payload["notification_type"]) == (InboxStatus.DONE, 99)
    assert await postman.stored(item) is not None


async def test_a_token_that_google_does_not_know_gives_nothing(postman: Postman, google_play: GooglePlay) -> None:
    with google_play.changing() as state:
        item = state.buy(MONTHLY)
        state.items.clear()
    (event,) = await postman.deliver()

    assert event.status == InboxStatus.DONE
    assert await postman.stored(item) is None


async def test_while_google_play_is_down_the_event_waits(postman: Postman, google_play: GooglePlay) -> None:
    with google_play.changing() as state:
        item = state.buy(MONTHLY)
    google_play.fault = ApiError(503, "backendError")
    (event,) = await postman.deliver()

    assert (event.status, event.attempts) == (InboxStatus.PENDING, 1)
    assert event.error is not None
    assert "503" in event.error
    assert await postman.stored(item) is None


class TestRefused:
    """Nothing is stored. Pub/Sub sends the message again, and the push subscription's metrics show the errors."""

    async def refused(self, runtime: Runtime, response: httpx.Response, code: str, status: int = 400) -> None:
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert await list_events(runtime) == []

    async def test_a_notification_of_another_app(
        self, postman: Postman, runtime: Runtime, google_play: GooglePlay
    ) -> None:
        item = google_play.state.buy(MONTHLY)
        body = push_body(google_play.state.messages[0], "com.example.other")

        await self.refused(runtime, await postman.post(body), "WRONG_APP")
        assert await stored_purchase(runtime, item.token) is None

    @pytest.mark.parametrize(
        "data",
        [
            "",
            "not base64!",
            "e30",
            base64.b64encode(b"\xff").decode(),
            base64.b64encode(b"[]").decode(),
            base64.b64encode(b"{}").decode(),
            base64.b64encode(b'{"packageName": "com.example.app", "subscriptionNotification": 5}').decode(),
            base64.b64encode(b"[" * 20_000).decode(),
            changed("../purchases"),
            changed(".."),
            changed("a\0b"),
            voided("GPA.1\0"),
        ],
        ids=range(12),
    )
    async def test_data_that_is_not_a_notification(self, postman: Postman, runtime: Runtime, data: str) -> None:
        body = json.dumps({"message": {"messageId": "1", "data": data}}).encode()

        await self.refused(runtime, await postman.post(body), "MALFORMED_NOTIFICATION")

    @pytest.mark.parametrize("body", [b"", b"{}", b"[]", b'{"message": {"data": "e30="}}'], ids=range(4))
    async def test_a_body_without_a_message(self, postman: Postman, runtime: Runtime, body: bytes) -> None:
        await self.refused(runtime, await postman.post(body), "VALIDATION_ERROR", 422)


async def test_no_token_and_nothing_personal_is_logged(
    postman: Postman, google_play: GooglePlay, caplog: pytest.LogCaptureFixture
) -> None:
    account = "0198f2a8-0000-7000-8000-000000000001"
    with structlog.testing.capture_logs() as logs:
        with google_play.changing() as state:
            item = state.buy("com.example.unknown", account=account)
        await postman.deliver()
        google_play.fault = ApiError(500, "backendError")
        with google_play.changing() as state:
            state.revoke(item)
        events = await postman.deliver()

    assert logs
    stored = [json.dumps(event.payload) + (event.error or "") for event in events]
    for text in (str(logs), caplog.text, *stored):
        assert item.token not in text
        assert account not in text


class TestWithoutSettings:
    @pytest.fixture(autouse=True)
    def unset(self, google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in google_play.settings:
            monkeypatch.delenv(name)

    async def test_there_is_no_webhook(self, client: httpx.AsyncClient) -> None:
        response = await client.post(WEBHOOK, json={"message": {"messageId": "1"}})

        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")

    async def test_an_event_from_before_fails(self, runtime: Runtime) -> None:
        with pytest.raises(UnusableEventError, match="settings of Google Play"):
            await apply_google_notification(runtime, {"token_id": "0" * 64})
        await apply_google_notification(runtime, {"type": "test"})

    async def test_the_jobs_do_nothing(self, runtime: Runtime) -> None:
        await acknowledge_google_purchase(runtime, "0" * 64)
        assert await acknowledge_google_purchases(runtime) == {"acknowledged": 0, "failed": 0}
        assert await poll_voided_google_purchases(runtime) == {"voided": 0, "failed": 0}
        with pytest.raises(LookupError):
            runtime.resource(Connection)
