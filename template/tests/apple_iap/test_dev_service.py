"""The fake as a process of `app dev`."""

from pathlib import Path

import httpx
import pytest

from app.dev.servers.app_store.store import AppStore
from app.dev.servers.app_store_fake import dev_service
from tests.fakes.server import Received, Reply, serving
from tests.payments.store_purchases import MONTHLY


def accept(_request: Received) -> Reply:
    return Reply(status=202)


@pytest.mark.usefixtures("environment")
def test_it_sends_notifications_and_keeps_subscriptions(tmp_path: Path) -> None:
    folder = tmp_path / "app_store"
    with serving(accept) as application:
        with dev_service.run(folder, application.url) as settings:
            httpx.post(f"{settings['APPLE_API_URL']}/_fake/subscriptions", json={"product": MONTHLY}).raise_for_status()
            assert dev_service.find(folder) == settings
        with dev_service.run(folder, application.url) as settings:
            kept = httpx.get(f"{settings['APPLE_API_URL']}/_fake/subscriptions").json()["subscriptions"]

    assert [item["product"] for item in kept] == [MONTHLY]
    assert [request.path for request in application.requests] == ["/api/v1/public/webhooks/apple"]
    assert dev_service.find(folder) is None
    assert "{APPLE_API_URL}" in dev_service.started


def test_it_is_wanted_in_local_without_settings(
    environment: None,  # noqa: ARG001 - the order matters
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert dev_service.is_wanted()
    monkeypatch.setenv("APPLE_API_URL", "http://127.0.0.1:1")
    assert not dev_service.is_wanted()


def test_it_is_not_wanted_with_an_account(app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLE_API_URL", "")
    assert app_store.settings
    assert not dev_service.is_wanted()
