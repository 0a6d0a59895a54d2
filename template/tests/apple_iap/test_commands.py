"""The commands `app billing apple`, with the fake that `app dev` runs."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from click.testing import CliRunner, Result

from app.auth.port import Identity
from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.inbox.service import list_events
from app.core.runtime import Runtime
from app.dev.servers.app_store.store import AppStore, Delivery
from app.payments.repository import SubscriptionRepository
from app.users.identities import create_user
from tests.apple_iap.conftest import ENTERPRISE, MONTHLY
from tests.conftest import make_runtime
from tests.databases import Databases

ADDRESS = "ada@example.com"
ADA = Identity(provider="test", subject="ada", email=ADDRESS, email_verified=True, name="Ada")


async def run(*arguments: str) -> Result:
    """Run `app billing apple …` in a thread, since it brings its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["billing", "apple", *arguments])


@pytest.fixture(autouse=True)
async def runtime(
    app_store: AppStore,  # noqa: ARG001 - the order matters
    databases: Databases,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Runtime]:
    """A runtime with a user, on the database that the commands find in the environment."""
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        # Nothing listens there: the notifications are lost.
        monkeypatch.setenv("PUBLIC_URL", "http://127.0.0.1:1")
        runtime = make_runtime(create_database(Settings()))
        await create_user(runtime, ADA)
        yield runtime
        await runtime.database.dispose()


async def stored(runtime: Runtime, item_id: str) -> tuple[str, str | None, bool]:
    """Return the status and the plan of a subscription, and whether it has a user."""
    async with runtime.database.reading() as session:
        row = await SubscriptionRepository(session).find("apple", item_id)
    assert row is not None
    return row.status.value, row.plan, row.user_id is not None


async def test_a_life(runtime: Runtime, app_store: AppStore) -> None:
    bought = await run("buy", ADDRESS, MONTHLY)
    (id_,) = app_store.state.items
    seen = [await stored(runtime, id_)]
    for step in (("change", id_, "upgrade", "--product", ENTERPRISE), ("change", id_, "cancel"), ("clock", "+1month")):
        result = await run(*step)
        assert result.exit_code == 0, result.output
        seen.append(await stored(runtime, id_))
    listed = await run("list")

    assert (bought.exit_code, bought.output.splitlines()[-1].split()[:4]) == (0, [id_, "active", "plan", "pro,"])
    assert seen == [
        ("active", "pro", True),
        ("active", "enterprise", True),
        ("cancelled", "enterprise", True),
        ("expired", "enterprise", True),
    ]
    assert listed.output.split() == [
        id_,
        "expired",
        f"{app_store.state.items[id_].expires:%Y-%m-%dT%H:%M:%S}",
        ENTERPRISE,
    ]


async def test_an_anonymous_purchase_is_parked(runtime: Runtime, app_store: AppStore) -> None:
    result = await run("buy", ADDRESS, MONTHLY, "--anonymous", "--trial")
    (id_,) = app_store.state.items

    assert await stored(runtime, id_) == ("trialing", "pro", False)
    assert result.output.splitlines()[-1].count(".") == 2


async def test_lost_notifications_are_recovered(runtime: Runtime, app_store: AppStore) -> None:
    app_store.set_delivery(Delivery.DROP)
    with app_store.changing() as state:
        item = state.buy(MONTHLY)
    result = await run("recover")

    assert result.output.splitlines()[-1] == "1 recovered, 0 refused"
    (event,) = await list_events(runtime)
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
    result = await run(*arguments)

    assert result.exit_code == 1
    assert message in result.output


async def test_without_the_fake_it_says_how_to_start_it(app_store: AppStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPLE_API_URL", "http://127.0.0.1:1")
    assert "Is `app dev` running?" in (await run("list")).output
    for name in app_store.settings:
        monkeypatch.delenv(name)
    assert "Start `app dev` first" in (await run("list")).output
    assert "docs/apple-iap.md" in (await run("recover")).output
