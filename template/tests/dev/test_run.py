"""The steps of `app dev`."""

import pytest

from app.core.config.settings import LOCAL_PUBLIC_URL, Settings
from app.dev.run import public_url

URL = "http://127.0.0.1:9000"


def test_links_lead_to_the_server_unless_public_url_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    assert public_url(Settings(), URL) == {}

    monkeypatch.delenv("PUBLIC_URL")
    assert public_url(Settings(), URL) == {"PUBLIC_URL": URL}
    assert public_url(Settings(), LOCAL_PUBLIC_URL) == {}
