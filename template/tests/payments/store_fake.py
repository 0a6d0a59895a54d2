"""The fakes of the app stores over HTTP: the tests that all of them pass."""

from collections.abc import Iterator
from typing import Any, Protocol

import httpx
import pytest

from tests.fakes.server import FakeServer, Received, Reply, serving
from tests.payments.store_purchases import MONTHLY


class Store(Protocol):
    """A fake store."""

    state: Any

    @property
    def url(self) -> str:
        """The address of its server."""
        ...

    @property
    def settings(self) -> dict[str, str]:
        """The settings that connect an application to it."""
        ...


class StoreServer(Protocol):
    """The server of a fake store."""

    webhook: str | None


class FakeStoreContract:
    """The tests of every fake store. A subclass overrides the fixtures `store` and `store_server`."""

    @pytest.fixture
    def store(self) -> Store:
        """The fake, without subscriptions."""
        raise NotImplementedError

    @pytest.fixture
    def store_server(self) -> StoreServer:
        """Its server."""
        raise NotImplementedError

    @pytest.fixture
    def received(self, store_server: StoreServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
        """An application that accepts every notification."""

        def accept(_request: Received) -> Reply:
            return Reply(status=202)

        with serving(accept) as server:
            monkeypatch.setattr(store_server, "webhook", f"{server.url}/webhook")
            yield server

    @pytest.fixture
    def control(self, store: Store) -> Iterator[httpx.Client]:
        """The routes that control the fake."""
        with httpx.Client(base_url=f"{store.url}/_fake") as client:
            yield client

    def test_it_says_which_settings_connect_to_it(self, store: Store, control: httpx.Client) -> None:
        assert control.get("/settings").json() == store.settings

    @pytest.mark.parametrize(("mode", "arrived"), [("normal", 1), ("repeat", 2), ("hold", 0), ("drop", 0)])
    def test_the_delivery_is_controlled(
        self, control: httpx.Client, received: FakeServer, mode: str, arrived: int
    ) -> None:
        control.post("/delivery", json={"mode": mode})
        control.post("/subscriptions", json={"product": MONTHLY})

        assert len(received.requests) == arrived
        control.post("/delivery", json={"mode": "normal"})
        assert len(received.requests) == (1 if mode == "hold" else arrived)

    @pytest.mark.parametrize(
        ("path", "body"),
        [("/nothing", {}), ("/subscriptions", {}), ("/delivery", {"mode": "loud"}), ("/clock", {"seconds": "soon"})],
    )
    def test_a_mistake_is_refused(self, control: httpx.Client, path: str, body: dict[str, object]) -> None:
        assert control.post(path, json=body).status_code == 400

    def test_a_page_of_another_origin_cannot_control_it(self, control: httpx.Client, store: Store) -> None:
        response = control.post("/subscriptions", content=b'{"product": "a"}', headers={"Content-Type": "text/plain"})

        assert response.status_code == 415
        assert not store.state.items

    def test_another_path_is_not_found(self, store: Store) -> None:
        assert httpx.get(f"{store.url}/elsewhere").status_code == 404
