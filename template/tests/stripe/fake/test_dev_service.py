"""The fake as `app dev` runs it."""

from pathlib import Path

import httpx
import pytest

from app.dev.servers.stripe import saved_state
from app.dev.servers.stripe.billing.due import catch_up
from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe_fake import dev_service
from tests.stripe.fake.history import live
from tests.stripe.fake.shop import Shop

URL = "http://127.0.0.1:9"


def get(settings: dict[str, str], path: str) -> list[dict[str, str]]:
    """Return a list of the API."""
    headers = {"Authorization": f"Bearer {settings['STRIPE_SECRET_KEY']}"}
    answer = httpx.get(f"{settings['STRIPE_API_BASE']}{path}", headers=headers, trust_env=False)
    return list(answer.json()["data"])


def test_keeps_its_account_and_its_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIPE_SECRET_KEY", raising=False)
    folder = tmp_path / "stripe"
    assert dev_service.is_wanted()
    assert dev_service.find(folder) is None

    with dev_service.run(folder, URL) as running:
        settings = dict(running)
        assert dev_service.find(folder) == settings
        endpoints = get(settings, "/v1/webhook_endpoints")
    assert dev_service.find(folder) is None

    with dev_service.run(folder, URL) as again:
        assert get(dict(again), "/v1/webhook_endpoints") == endpoints
    assert [one["url"] for one in endpoints] == [f"{URL}/api/v1/public/webhooks/stripe"]
    assert settings.items() >= {name: again[name] for name in ("STRIPE_API_BASE", "STRIPE_WEBHOOK_SECRET")}.items()


def test_is_not_wanted_with_a_key_or_outside_local(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_SECRET_KEY", "sk_test_12345678")
    assert not dev_service.is_wanted()


async def test_an_account_is_the_same_after_it_was_saved(tmp_path: Path, fake: StripeFake, shop: Shop) -> None:
    await live(fake, shop)
    await shop.buy()

    saved_state.save(fake.account, tmp_path / "account.json")
    loaded = saved_state.load(tmp_path / "account.json")

    assert loaded is not None
    assert loaded.objects == fake.account.objects
    assert loaded.deliveries == fake.account.deliveries
    loaded.clock.offset += 400 * 86_400
    assert catch_up(loaded) > 0


def test_a_file_of_another_version_is_moved_aside(tmp_path: Path) -> None:
    (tmp_path / "account.json").write_text("{}")

    assert saved_state.load(tmp_path / "account.json") is None
    assert (tmp_path / "account.old").exists()
