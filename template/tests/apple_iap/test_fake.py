"""The fake App Store over HTTP: what its tests cannot reach otherwise."""

from collections.abc import Iterator

import httpx
import pytest

from app.dev.servers.app_store.server import AppStoreServer
from app.dev.servers.app_store.store import AppStore
from tests.fakes.server import FakeServer, Received, Reply, serving
from tests.payments.store_purchases import MONTHLY, YEARLY


@pytest.fixture
def received(app_store_server: AppStoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """An application that accepts every notification."""

    def accept(_request: Received) -> Reply:
        return Reply(status=202)

    with serving(accept) as server:
        monkeypatch.setattr(app_store_server, "webhook", f"{server.url}/webhook")
        yield server


@pytest.fixture
def control(app_store: AppStore) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{app_store.url}/_fake") as client:
        yield client


def test_it_says_which_settings_connect_to_it(app_store: AppStore, control: httpx.Client) -> None:
    assert control.get("/settings").json() == app_store.settings


def test_a_purchase_is_reported_to_the_webhook(control: httpx.Client, received: FakeServer) -> None:
    bought = control.post("/subscriptions", json={"product": YEARLY}).json()
    control.post("/clock", json={"seconds": 400 * 86400})

    assert [request.path for request in received.requests] == ["/webhook"] * 2
    assert bought["product"] == YEARLY
    assert control.get("/subscriptions").json()["subscriptions"][0]["expires"] > bought["expires"]


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


def test_a_page_of_another_origin_cannot_control_it(control: httpx.Client, app_store: AppStore) -> None:
    response = control.post("/subscriptions", content=b'{"product": "a"}', headers={"Content-Type": "text/plain"})

    assert response.status_code == 415
    assert not app_store.state.items


def test_the_api_needs_a_token(app_store: AppStore) -> None:
    id_ = app_store.state.buy(MONTHLY).original_id
    for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic abc"}):
        response = httpx.get(f"{app_store.url}/sandbox/inApps/v1/subscriptions/{id_}", headers=headers)
        assert response.status_code == 401


def test_another_path_is_not_found(app_store: AppStore) -> None:
    assert httpx.get(f"{app_store.url}/elsewhere").status_code == 404


def test_two_servers_trust_different_roots(app_store: AppStore) -> None:
    with AppStoreServer() as other:
        assert other.store.settings["APPLE_ROOT_SHA256"] != app_store.settings["APPLE_ROOT_SHA256"]
