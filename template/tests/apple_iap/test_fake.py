"""The fake App Store over HTTP: what its tests cannot reach otherwise."""

import httpx
import pytest

from app.dev.servers.app_store.server import AppStoreServer
from app.dev.servers.app_store.store import AppStore
from tests.fakes.server import FakeServer
from tests.payments.store_fake import FakeStoreContract
from tests.payments.store_purchases import MONTHLY, YEARLY


class TestFake(FakeStoreContract):
    """The fake App Store."""

    @pytest.fixture
    def store(self, app_store: AppStore) -> AppStore:
        return app_store

    @pytest.fixture
    def store_server(self, app_store_server: AppStoreServer) -> AppStoreServer:
        return app_store_server

    def test_a_purchase_is_reported_to_the_webhook(self, control: httpx.Client, received: FakeServer) -> None:
        bought = control.post("/subscriptions", json={"product": YEARLY}).json()
        control.post("/clock", json={"seconds": 400 * 86400})

        assert [request.path for request in received.requests] == ["/webhook"] * 2
        assert bought["product"] == YEARLY
        assert control.get("/subscriptions").json()["subscriptions"][0]["expires"] > bought["expires"]


def test_the_api_needs_a_token(app_store: AppStore) -> None:
    id_ = app_store.state.buy(MONTHLY).original_id
    for headers in ({}, {"Authorization": "Bearer a.b.c"}, {"Authorization": "Basic abc"}):
        response = httpx.get(f"{app_store.url}/sandbox/inApps/v1/subscriptions/{id_}", headers=headers)
        assert response.status_code == 401


def test_two_servers_trust_different_roots(app_store: AppStore) -> None:
    with AppStoreServer() as other:
        assert other.store.settings["APPLE_ROOT_SHA256"] != app_store.settings["APPLE_ROOT_SHA256"]
