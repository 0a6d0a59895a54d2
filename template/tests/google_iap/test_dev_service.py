"""The fake as a process of `app dev`."""

from pathlib import Path

import httpx
import pytest

from app.dev.servers.google_play.store import GooglePlay
from app.dev.servers.google_play_fake import dev_service
from tests.fakes.server import Received, Reply, serving
from tests.payments.store_purchases import MONTHLY


def accept(_request: Received) -> Reply:
    return Reply(status=202)


@pytest.mark.usefixtures("environment")
def test_it_sends_notifications_and_keeps_subscriptions(tmp_path: Path) -> None:
    folder = tmp_path / "google_play"
    with serving(accept) as application:
        with dev_service.run(folder, application.url) as settings:
            httpx.post(
                f"{settings['GOOGLE_PLAY_API_URL']}/_fake/subscriptions", json={"product": MONTHLY}
            ).raise_for_status()
            assert dev_service.find(folder) == settings
        with dev_service.run(folder, application.url) as settings:
            kept = httpx.get(f"{settings['GOOGLE_PLAY_API_URL']}/_fake/subscriptions").json()["subscriptions"]

    assert [item["product"] for item in kept] == [MONTHLY]
    assert [request.path for request in application.requests] == ["/api/v1/public/webhooks/google"]
    assert dev_service.find(folder) is None
    assert "{GOOGLE_PLAY_API_URL}" in dev_service.started


def test_it_is_wanted_in_local_without_settings(
    environment: None,  # noqa: ARG001 - the order matters
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert dev_service.is_wanted()
    monkeypatch.setenv("GOOGLE_PLAY_API_URL", "http://127.0.0.1:1")
    assert not dev_service.is_wanted()


def test_it_is_not_wanted_with_an_account(google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_PLAY_API_URL", "")
    assert google_play.settings
    assert not dev_service.is_wanted()
