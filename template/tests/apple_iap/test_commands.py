"""The commands `app billing apple`, with the fake that `app dev` runs."""

import pytest

from app.core.inbox.service import list_events
from app.core.runtime import Runtime
from app.dev.servers.app_store.store import AppStore
from app.dev.servers.fake_http import Delivery
from app.payments.repository import SubscriptionRepository
from tests.payments.store_purchases import BUYER, ENTERPRISE, MONTHLY, run_command

pytestmark = pytest.mark.usefixtures("command_runtime")


async def stored(runtime: Runtime, item_id: str) -> tuple[str, str | None, bool]:
    """Return the status and the plan of a subscription, and whether it has a user."""
    async with runtime.database.reading() as session:
        row = await SubscriptionRepository(session).find("apple", item_id)
    assert row is not None
    return row.status.value, row.plan, row.user_id is not None


async def test_a_life(command_runtime: Runtime, app_store: AppStore) -> None:
    bought = await run_command("billing", "apple", "buy", BUYER, MONTHLY)
    (id_,) = app_store.state.items
    seen = [await stored(command_runtime, id_)]
    for step in (("change", id_, "upgrade", "--product", ENTERPRISE), ("change", id_, "cancel"), ("clock", "+1month")):
        result = await run_command("billing", "apple", *step)
        assert result.exit_code == 0, result.output
        seen.append(await stored(command_runtime, id_))
    listed = await run_command("billing", "apple", "list")

    assert (bought.exit_code, bought.stdout.splitlines()[-1].split()[:4]) == (0, [id_, "active", "plan", "pro,"])
    assert seen == [
        ("active", "pro", True),
        ("active", "enterprise", True),
        ("cancelled", "enterprise", True),
        ("expired", "enterprise", True),
    ]
    assert listed.stdout.split() == [
        id_,
        "expired",
        f"{app_store.state.items[id_].expires:%Y-%m-%dT%H:%M:%S}",
        ENTERPRISE,
    ]


async def test_an_anonymous_purchase_is_parked(command_runtime: Runtime, app_store: AppStore) -> None:
    result = await run_command("billing", "apple", "buy", BUYER, MONTHLY, "--anonymous", "--trial")
    (id_,) = app_store.state.items

    assert await stored(command_runtime, id_) == ("trialing", "pro", False)
    assert result.stdout.splitlines()[-1].count(".") == 2


async def test_lost_notifications_are_recovered(command_runtime: Runtime, app_store: AppStore) -> None:
    app_store.set_delivery(Delivery.DROP)
    with app_store.changing() as state:
        item = state.buy(MONTHLY)
    result = await run_command("billing", "apple", "recover")

    assert result.stdout.splitlines()[-1] == "1 recovered, 0 refused"
    (event,) = await list_events(command_runtime)
    assert event.payload["original_transaction_id"] == item.original_id


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("buy", "bob@example.com", MONTHLY), "No user has this address or id."),
        (("change", "1", "cancel"), "refused this: No subscription has the id 1."),
        (("clock", "soon"), '"soon" is not a duration. Write one like +1month'),
    ],
)
async def test_a_mistake_is_explained(arguments: tuple[str, ...], message: str) -> None:
    result = await run_command("billing", "apple", *arguments)

    assert result.exit_code == 1
    assert message in result.output


async def test_without_the_fake_it_says_how_to_start_it(app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLE_API_URL", "http://127.0.0.1:1")
    assert "Is `app dev` running?" in (await run_command("billing", "apple", "list")).output
    for name in app_store.settings:
        monkeypatch.delenv(name)
    assert "Start `app dev` first" in (await run_command("billing", "apple", "list")).output
    assert "docs/apple-iap.md" in (await run_command("billing", "apple", "recover")).output
