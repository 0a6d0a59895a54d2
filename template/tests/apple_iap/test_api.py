"""The App Store Server API: its errors, and what each means for a subscription."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import pytest

from app.apple_iap.api import AppStoreApi, open_api
from app.apple_iap.app_store import AppStore as Connection
from app.apple_iap.jobs import recover_apple_notifications
from app.apple_iap.settings import AppleSettings
from app.core.inbox.models import InboxStatus
from app.core.runtime import Runtime
from app.dev.servers.app_store import store
from app.dev.servers.app_store.store import ApiError, AppStore
from app.dev.servers.fake_http import Delivery
from app.payments.port import ProviderUnavailableError
from tests.apple_iap.conftest import Postman
from tests.core.inbox.webhook_contract import drain_inbox
from tests.fakes.server import FakeServer, Reply
from tests.payments.store_answers import Answers, answers, server
from tests.payments.store_purchases import MONTHLY

__all__ = ["answers", "server"]

UNKNOWN = "2000000999999999"


@pytest.fixture
async def api(app_store: AppStore) -> AsyncIterator[AppStoreApi]:  # noqa: ARG001 - the order matters
    async with open_api(AppleSettings()) as opened:
        yield opened


def error(code: int) -> dict[str, object]:
    """Return an error as the App Store Server API describes it."""
    return {"errorCode": code, "errorMessage": "It failed."}


@pytest.fixture
async def faulty(
    app_store: AppStore,  # noqa: ARG001 - the order matters
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[AppStoreApi]:
    monkeypatch.setenv("APPLE_API_URL", server.url)
    async with open_api(AppleSettings()) as opened:
        yield opened


async def test_a_subscription_is_found_in_its_environment(api: AppStoreApi, app_store: AppStore) -> None:
    for sandbox in (False, True):
        item = app_store.state.buy(MONTHLY, sandbox=sandbox)
        found = await api.subscription(item.original_id)
        assert found is not None
        assert (found.status, found.sandbox) == (1, sandbox)


@pytest.mark.parametrize("id_", [UNKNOWN, "not-a-number", "1"])
async def test_an_unknown_subscription_is_none(api: AppStoreApi, id_: str) -> None:
    assert await api.subscription(id_) is None


async def test_only_the_subscription_itself_is_returned(api: AppStoreApi, app_store: AppStore) -> None:
    """The App Store describes all subscriptions of a customer, and finds them by each of their transactions."""
    item = app_store.state.buy(MONTHLY)
    app_store.state.advance(timedelta(days=40))

    assert item.transaction_id != item.original_id
    with pytest.raises(ProviderUnavailableError, match="left out"):
        await api.subscription(item.transaction_id)


@pytest.mark.parametrize(
    ("status", "code"), [(429, 4290000), (500, 5000000), (500, 5000001), (404, 4040002), (404, 4040004), (404, 4040006)]
)
async def test_a_temporary_error_is_retried_and_changes_nothing(
    faulty: AppStoreApi, server: FakeServer, answers: Answers, status: int, code: int
) -> None:
    answers.error(status, error(code))
    with pytest.raises(ProviderUnavailableError, match=str(code)):
        await faulty.subscription(UNKNOWN)

    assert len(server.requests) == 2


@pytest.mark.parametrize(("status", "code"), [(404, 4040001), (404, 4040005), (404, 4040010), (400, 4000006)])
async def test_an_error_that_names_an_unknown_purchase_is_believed(
    faulty: AppStoreApi, server: FakeServer, answers: Answers, status: int, code: int
) -> None:
    answers.error(status, error(code))

    assert await faulty.subscription(UNKNOWN) is None
    assert [request.path.split("/")[1] for request in server.requests] == ["production", "sandbox"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=404),
        Reply(status=404, body=b"<html>", headers={"Content-Type": "text/html"}),
        Reply(status=403, body=b"{}", headers={"Content-Type": "application/json"}),
        Reply(body=b"not JSON"),
        Reply(body=b"[]"),
        Reply(body=b"{}"),
        Reply(body=b'{"data": 5}'),
        Reply(body=b'{"data": [{"lastTransactions": [5]}]}'),
        Reply(body=b'{"data": [{"lastTransactions": [{"originalTransactionId": "%b"}]}]}' % UNKNOWN.encode()),
        Reply(status=302, headers={"Location": "/elsewhere"}),
    ],
    ids=range(10),
)
async def test_an_unexpected_response_changes_nothing(faulty: AppStoreApi, answers: Answers, reply: Reply) -> None:
    answers.reply = reply

    with pytest.raises(ProviderUnavailableError):
        await faulty.subscription(UNKNOWN)


async def test_a_refused_connection_changes_nothing(faulty: AppStoreApi, server: FakeServer) -> None:
    server.stop()

    with pytest.raises(ProviderUnavailableError, match="ConnectError"):
        await faulty.subscription(UNKNOWN)


@pytest.mark.parametrize("name", ["APPLE_KEY_ID", "APPLE_ISSUER_ID", "APPLE_BUNDLE_ID"])
async def test_a_wrong_key_is_explained(app_store: AppStore, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "other")
    async with open_api(AppleSettings()) as api:
        with pytest.raises(ProviderUnavailableError, match="APPLE_KEY_ID"):
            await api.subscription(app_store.state.buy(MONTHLY).original_id)


@pytest.mark.parametrize("code", [4010000, 4040003])
async def test_before_its_release_an_app_has_the_sandbox(
    api: AppStoreApi, app_store: AppStore, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The production environment refuses the key of an app that was never released."""
    item, statuses = app_store.state.buy(MONTHLY), app_store.statuses

    def refuse(transaction_id: str, *, sandbox: bool) -> dict[str, object]:
        if sandbox:
            return statuses(transaction_id, sandbox=sandbox)
        raise ApiError(code // 10_000, code, "Refused.")

    monkeypatch.setattr(app_store, "statuses", refuse)

    found = await api.subscription(item.original_id)
    assert found is not None
    assert found.sandbox
    with pytest.raises(ProviderUnavailableError):
        await api.subscription(UNKNOWN)


PAGE: Final = 3
"""Notifications in a page of the history: fewer than in Apple's, so that a test needs few of them."""


class TestLostNotifications:
    async def test_they_are_recovered(
        self, runtime: Runtime, postman: Postman, app_store: AppStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store, "PAGE", PAGE)
        app_store.set_delivery(Delivery.DROP)
        with app_store.changing() as state:
            items = [state.buy(MONTHLY, sandbox=number > 0) for number in range(PAGE + 2)]
        first = await recover_apple_notifications(runtime)
        again = await recover_apple_notifications(runtime)
        events = await drain_inbox(runtime)

        assert (first, again) == ({"recovered": PAGE + 2, "refused": 0}, {"recovered": 0, "refused": 0})
        assert {event.status for event in events} == {InboxStatus.DONE}
        assert all([await postman.stored(item) for item in items])

    async def test_old_ones_are_not_fetched(self, runtime: Runtime, app_store: AppStore) -> None:
        app_store.set_delivery(Delivery.DROP)
        with app_store.changing() as state:
            state.buy(MONTHLY)
        app_store.state.notifications[0].at = datetime.now(UTC) - timedelta(days=4)

        assert await recover_apple_notifications(runtime) == {"recovered": 0, "refused": 0}

    async def test_one_that_cannot_be_verified_does_not_stop_the_others(
        self, runtime: Runtime, app_store: AppStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        app_store.set_delivery(Delivery.DROP)
        with app_store.changing() as state:
            state.buy(MONTHLY)
            state.buy(MONTHLY)
        genuine = app_store.history

        def broken(query: dict[str, object], token: str | None, *, sandbox: bool) -> dict[str, object]:
            answer = genuine(query, token, sandbox=sandbox)
            items = answer["notificationHistory"]
            assert isinstance(items, list)
            if items:
                items[0]["signedPayload"] += "A"
            return answer

        monkeypatch.setattr(app_store, "history", broken)

        assert await recover_apple_notifications(runtime) == {"recovered": 1, "refused": 1}


class TestWithoutSettings:
    @pytest.fixture(autouse=True)
    def unset(self, app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in app_store.settings:
            monkeypatch.delenv(name)

    async def test_there_is_nothing_to_recover(self, runtime: Runtime) -> None:
        assert await recover_apple_notifications(runtime) == {"recovered": 0, "refused": 0}
        with pytest.raises(LookupError):
            runtime.resource(Connection)


async def test_the_connection_goes_to_apple_by_default(app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert app_store.url
    monkeypatch.delenv("APPLE_API_URL")
    asked: list[str] = []

    async def refuse(_self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(404, json={"errorCode": 4040010, "errorMessage": "Unknown."})

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", refuse)
    async with open_api(AppleSettings()) as api:
        assert await api.subscription(UNKNOWN) is None

    path = f"/inApps/v1/subscriptions/{UNKNOWN}"
    assert asked == [f"https://api.storekit.apple.com{path}", f"https://api.storekit-sandbox.apple.com{path}"]
