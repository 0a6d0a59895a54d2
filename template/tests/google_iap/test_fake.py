"""The fake Google Play over HTTP: what its tests cannot reach otherwise."""

import httpx
import jwt
import pytest

from app.dev.servers.google_play.server import GooglePlayServer
from app.dev.servers.google_play.store import GooglePlay
from tests.fakes.server import FakeServer
from tests.payments.store_fake import FakeStoreContract
from tests.payments.store_purchases import MONTHLY, YEARLY

PURCHASES = "/androidpublisher/v3/applications/com.example.app/purchases"


class TestFake(FakeStoreContract):
    """The fake Google Play."""

    @pytest.fixture
    def store(self, google_play: GooglePlay) -> GooglePlay:
        return google_play

    @pytest.fixture
    def store_server(self, google_play_server: GooglePlayServer) -> GooglePlayServer:
        return google_play_server

    def test_a_purchase_is_reported_to_the_webhook(self, control: httpx.Client, received: FakeServer) -> None:
        bought = control.post("/subscriptions", json={"product": YEARLY}).json()

        assert [request.path for request in received.requests] == ["/webhook"]
        assert bought["product"] == YEARLY

    def test_a_purchase_not_acknowledged_in_time_is_refunded(
        self, control: httpx.Client, google_play: GooglePlay
    ) -> None:
        control.post("/subscriptions", json={"product": MONTHLY})
        control.post("/clock", json={"seconds": 4 * 86400})

        assert control.get("/subscriptions").json()["subscriptions"][0]["state"] == "expired"
        assert len(google_play.state.voided) == 1


def test_the_api_needs_a_token(google_play: GooglePlay) -> None:
    token = google_play.state.buy(MONTHLY).token
    for headers in ({}, {"Authorization": "Bearer ya29.other"}, {"Authorization": "Basic abc"}):
        response = httpx.get(f"{google_play.url}{PURCHASES}/subscriptionsv2/tokens/{token}", headers=headers)
        assert response.status_code == 401


@pytest.mark.parametrize("claims", [{"iss": "other"}, {"scope": "email"}, {"exp": 9_999_999_999}])
def test_the_token_endpoint_checks_the_assertion(google_play: GooglePlay, claims: dict[str, object]) -> None:
    normal = {
        "iss": "play@example.iam.gserviceaccount.com",
        "scope": "https://www.googleapis.com/auth/androidpublisher",
        "aud": f"{google_play.url}/token",
        "iat": 1_700_000_000,
        "exp": 4_000_000_000,
    }
    assertion = jwt.encode({**normal, **claims}, google_play.key, algorithm="RS256")
    response = httpx.post(f"{google_play.url}/token", data={"assertion": assertion})

    assert (response.status_code, google_play.tokens) == (400, {})
