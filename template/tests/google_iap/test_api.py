"""The Google Play Developer API: its errors, and what each means for a subscription."""

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from app.core.db.models import utc_now
from app.dev.servers.google_play.store import PAGE, ApiError, GooglePlay
from app.google_iap.api import GooglePlayApi, open_api
from app.google_iap.settings import GooglePlaySettings
from app.payments.port import ProviderUnavailableError
from tests.fakes.server import FakeServer, Reply
from tests.payments.store_answers import Answers, answers, server
from tests.payments.store_purchases import MONTHLY

__all__ = ["answers", "server"]

TOKEN = "unknown-token.AO-J1Oy"


@pytest.fixture
async def api(google_play: GooglePlay) -> AsyncIterator[GooglePlayApi]:  # noqa: ARG001 - the order matters
    async with open_api(GooglePlaySettings()) as opened:
        yield opened


@pytest.fixture
async def faulty(
    google_play: GooglePlay,  # noqa: ARG001 - the order matters
    server: FakeServer,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[GooglePlayApi]:
    """The API on a server that answers as the test says. The tokens come from the fake."""
    monkeypatch.setenv("GOOGLE_PLAY_API_URL", server.url)
    async with open_api(GooglePlaySettings()) as opened:
        yield opened


async def test_a_subscription_is_found(api: GooglePlayApi, google_play: GooglePlay) -> None:
    item = google_play.state.buy(MONTHLY)
    found = await api.subscription(item.token)

    assert found is not None
    assert (found.subscription_state, found.needs_acknowledgement) == ("SUBSCRIPTION_STATE_ACTIVE", True)
    assert found.line_items[0].product_id == MONTHLY


async def test_one_access_token_serves_many_requests(api: GooglePlayApi, google_play: GooglePlay) -> None:
    for _ in range(3):
        await api.subscription(TOKEN)

    assert len(google_play.tokens) == 1


async def test_a_withdrawn_access_token_is_replaced(api: GooglePlayApi, google_play: GooglePlay) -> None:
    item = google_play.state.buy(MONTHLY)
    await api.subscription(item.token)
    google_play.tokens = dict.fromkeys(google_play.tokens, 0.0)

    assert await api.subscription(item.token) is not None
    assert len(google_play.tokens) == 2


@pytest.mark.parametrize("token", [TOKEN, "a/b", "../../x", "a?b", "ä"])
async def test_an_unknown_token_is_none(api: GooglePlayApi, token: str) -> None:
    assert await api.subscription(token) is None


async def test_a_token_that_expired_long_ago_is_none(api: GooglePlayApi, google_play: GooglePlay) -> None:
    item = google_play.state.buy(MONTHLY)
    google_play.state.cancel(item)
    google_play.state.advance(timedelta(days=100))

    assert await api.subscription(item.token) is None


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (404, "purchaseTokenNotFound", "The purchase token was not found."),
        (410, "purchaseTokenNoLongerValid", "The purchase token is no longer valid."),
        (410, "subscriptionPurchaseNoLongerAvailable", "It has been expired for too long."),
        (400, "invalid", "Invalid Value"),
        (400, "failedPrecondition", "It is no longer available for query because it has been expired for too long."),
    ],
)
async def test_an_error_that_names_an_unknown_token_is_believed(
    faulty: GooglePlayApi, answers: Answers, status: int, reason: str, message: str
) -> None:
    answers.error(status, ApiError(status, reason, message).body)

    assert await faulty.subscription(TOKEN) is None


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (404, "applicationNotFound"),
        (404, "notFound"),
        (400, "badRequest"),
        (400, "failedPrecondition"),
        (403, "quotaExceeded"),
        (409, "concurrentUpdate"),
    ],
)
async def test_other_errors_change_nothing(
    faulty: GooglePlayApi, server: FakeServer, answers: Answers, status: int, reason: str
) -> None:
    answers.error(status, ApiError(status, reason).body)
    with pytest.raises(ProviderUnavailableError):
        await faulty.subscription(TOKEN)

    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_temporary_error_is_retried(
    faulty: GooglePlayApi, server: FakeServer, answers: Answers, status: int
) -> None:
    answers.error(status, ApiError(status, "backendError").body)
    with pytest.raises(ProviderUnavailableError, match=str(status)):
        await faulty.subscription(TOKEN)

    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b""),
        Reply(body=b"[]"),
        Reply(body=b"{}"),
        Reply(body=b'{"subscriptionState": "SUBSCRIPTION_STATE_ACTIVE", "lineItems": []}'),
        Reply(body=b'{"subscriptionState": 5, "lineItems": [{"productId": "a"}]}'),
        Reply(body=b'{"subscriptionState": "A", "lineItems": [{"productId": "a", "expiryTime": "soon"}]}'),
        Reply(body=b" " * 2_000_000),
        Reply(status=302, headers={"Location": "/elsewhere"}),
        Reply(status=404, body=b"<html>"),
        Reply(status=404, body=b'{"error": []}'),
    ],
    ids=range(10),
)
async def test_an_unexpected_response_changes_nothing(faulty: GooglePlayApi, answers: Answers, reply: Reply) -> None:
    answers.reply = reply

    with pytest.raises(ProviderUnavailableError):
        await faulty.subscription(TOKEN)


async def test_a_refused_connection_names_no_token(faulty: GooglePlayApi, server: FakeServer) -> None:
    server.stop()
    with pytest.raises(ProviderUnavailableError, match="ConnectError") as caught:
        await faulty.subscription(TOKEN)

    assert caught.value.__cause__ is None
    assert TOKEN not in str(caught.value)


async def test_a_refused_service_account_is_explained(
    faulty: GooglePlayApi, answers: Answers, google_play: GooglePlay
) -> None:
    answers.error(401, ApiError(401, "authError").body)
    with pytest.raises(ProviderUnavailableError, match="GOOGLE_PLAY_SERVICE_ACCOUNT_JSON"):
        await faulty.subscription(TOKEN)
    google_play.token_fault = 400
    with pytest.raises(ProviderUnavailableError, match="GOOGLE_PLAY_SERVICE_ACCOUNT_JSON"):
        await faulty.subscription(TOKEN)


@pytest.mark.parametrize("status", [404, 410, 503])
async def test_an_error_of_the_token_endpoint_ends_nothing(
    api: GooglePlayApi, google_play: GooglePlay, status: int
) -> None:
    google_play.token_fault = status

    with pytest.raises(ProviderUnavailableError):
        await api.subscription(google_play.state.buy(MONTHLY).token)


async def test_another_app_is_refused(google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch) -> None:
    item = google_play.state.buy(MONTHLY)
    monkeypatch.setenv("GOOGLE_PLAY_PACKAGE_NAME", "com.example.other")
    async with open_api(GooglePlaySettings()) as api:
        with pytest.raises(ProviderUnavailableError, match="applicationNotFound"):
            await api.subscription(item.token)


async def test_voided_purchases_come_in_pages(api: GooglePlayApi, google_play: GooglePlay) -> None:
    item = google_play.state.buy(MONTHLY)
    for _ in range(PAGE + 5):
        google_play.state.void(item)
    found = [each async for each in api.voided(utc_now() - timedelta(days=1))]
    later = [each async for each in api.voided(utc_now() + timedelta(days=1))]

    assert (len(found), len(later)) == (PAGE + 5, 0)
    assert (found[0].purchase_token, found[0].order_id) == (item.token, item.order)


async def test_the_connection_goes_to_google_by_default(
    google_play: GooglePlay,  # noqa: ARG001 - the order matters
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GOOGLE_PLAY_API_URL")
    asked: list[str] = []

    async def refuse(_self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        asked.append(f"{request.url.scheme}://{request.url.host}{request.url.path}")
        body = {"access_token": "a", "expires_in": 5} if request.method == "POST" else {}
        return httpx.Response(200 if body else 410, json=body, request=request)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", refuse)
    async with open_api(GooglePlaySettings()) as api:
        assert await api.subscription("abc") is None
    base = "https://androidpublisher.googleapis.com/androidpublisher/v3/applications/com.example.app/purchases"
    assert asked[1:] == [f"{base}/subscriptionsv2/tokens/abc"]
