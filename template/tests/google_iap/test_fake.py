"""The fake Google Play over HTTP: what its tests cannot reach otherwise."""

from collections.abc import Iterator

import httpx
import jwt
import pytest

from app.dev.servers.google_play.server import GooglePlayServer
from app.dev.servers.google_play.store import GooglePlay
from tests.fakes.server import FakeServer, Received, Reply, serving
from tests.payments.store_purchases import MONTHLY, YEARLY

PURCHASES = "/androidpublisher/v3/applications/com.example.app/purchases"


@pytest.fixture
def received(google_play_server: GooglePlayServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An application that accepts every notification."""

    def accept(_request: Received) -> Reply:
        return Reply(status=202)

    with serving(accept) as server:
        monkeypatch.setattr(google_play_server, "webhook", f"{server.url}/webhook")
        yield server


@pytest.fixture
def control(google_play: GooglePlay) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{google_play.url}/_fake") as client:
        yield client


def test_it_says_which_settings_connect_to_it(google_play: GooglePlay, control: httpx.Client) -> None:
    assert control.get("/settings").json() == google_play.settings


def test_a_purchase_is_reported_to_the_webhook(control: httpx.Client, received: FakeServer) -> None:
    bought = control.post("/subscriptions", json={"product": YEARLY}).json()

    assert [request.path for request in received.requests] == ["/webhook"]
    assert bought["product"] == YEARLY


def test_a_purchase_not_acknowledged_in_time_is_refunded(control: httpx.Client, google_play: GooglePlay) -> None:
    control.post("/subscriptions", json={"product": MONTHLY})
    control.post("/clock", json={"seconds": 4 * 86400})

    assert control.get("/subscriptions").json()["subscriptions"][0]["state"] == "expired"
    assert len(google_play.state.voided) == 1


@pytest.mark.parametrize(("mode", "arrived"), [("normal", 1), ("repeat", 2), ("hold", 0), ("drop", 0)])
def test_the_delivery_is_controlled(control: httpx.Client, received: FakeServer, mode: str, arrived: int) -> None:
    control.post("/delivery", json={"mode": mode})
    control.post("/subscriptions", json={"product": MONTHLY})

    assert len(received.requests) == arrived
    control.post("/delivery", json={"mode": "normal"})
    assert len(received.requests) == (1 if mode == "hold" else arrived)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/nothing", {}), ("/subscriptions", {}), ("/delivery", {"mode": "loud"}), ("/clock", {"seconds": "soon"})],
)
def test_a_mistake_is_refused(control: httpx.Client, path: str, body: dict[str, object]) -> None:
    assert control.post(path, json=body).status_code == 400


def test_a_page_of_another_origin_cannot_control_it(control: httpx.Client, google_play: GooglePlay) -> None:
    response = control.post("/subscriptions", content=b'{"product": "a"}', headers={"Content-Type": "text/plain"})

    assert response.status_code == 415
    assert not google_play.state.items


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


def test_another_path_is_not_found(google_play: GooglePlay) -> None:
    assert httpx.get(f"{google_play.url}/elsewhere").status_code == 404
