"""The commands `app billing google`, with the fake that `app dev` runs."""

import pytest

from app.core.runtime import Runtime
from app.dev.servers.google_play.store import GooglePlay
from tests.google_iap.conftest import stored_subscription
from tests.payments.store_purchases import BUYER, ENTERPRISE, MONTHLY, run_command

pytestmark = pytest.mark.usefixtures("command_runtime")


async def stored(runtime: Runtime, token: str) -> tuple[str, str | None, bool]:
    """Return the status and the plan of a subscription, and whether it has a user."""
    row = await stored_subscription(runtime, token)
    assert row is not None
    return row.status.value, row.plan, row.user_id is not None


async def test_a_life(command_runtime: Runtime, google_play: GooglePlay) -> None:
    bought = await run_command("billing", "google", "buy", BUYER, MONTHLY)
    (first,) = google_play.state.items
    assert (bought.exit_code, bought.stdout.splitlines()[-1].split()[:4]) == (0, [first[:24], "active", "plan", "pro,"])
    assert google_play.state.items[first].acknowledged

    replaced = await run_command("billing", "google", "change", first[:24], "replace", "--product", ENTERPRISE)
    assert replaced.exit_code == 0, replaced.output
    second = next(token for token in google_play.state.items if token != first)
    seen = [await stored(command_runtime, first), await stored(command_runtime, second)]
    for step in (("change", second[:24], "cancel"), ("clock", "+1month")):
        result = await run_command("billing", "google", *step)
        assert result.exit_code == 0, result.output
        seen.append(await stored(command_runtime, second))
    listed = await run_command("billing", "google", "list")

    assert seen == [
        ("expired", "pro", True),
        ("active", "enterprise", True),
        ("cancelled", "enterprise", True),
        ("expired", "enterprise", True),
    ]
    assert [line.split()[1] for line in listed.stdout.splitlines()] == ["expired", "expired"]


async def test_an_anonymous_purchase_is_parked(command_runtime: Runtime, google_play: GooglePlay) -> None:
    result = await run_command("billing", "google", "buy", BUYER, MONTHLY, "--anonymous", "--trial")
    (token,) = google_play.state.items

    assert await stored(command_runtime, token) == ("trialing", "pro", False)
    assert result.stdout.splitlines()[-1] == token


async def test_a_pending_purchase_can_be_paid(command_runtime: Runtime, google_play: GooglePlay) -> None:
    await run_command("billing", "google", "buy", BUYER, MONTHLY, "--pending")
    (token,) = google_play.state.items
    pending = await stored(command_runtime, token)
    await run_command("billing", "google", "change", token[:24], "complete-payment")

    assert [pending, await stored(command_runtime, token)] == [("pending", "pro", True), ("active", "pro", True)]


async def test_refunds_and_acknowledgements_can_be_fetched(command_runtime: Runtime, google_play: GooglePlay) -> None:
    await run_command("billing", "google", "buy", BUYER, MONTHLY)
    (item,) = google_play.state.items.values()
    google_play.state.charge_back(item)
    voided = await run_command("billing", "google", "voided")
    acknowledged = await run_command("billing", "google", "acknowledge")

    assert voided.stdout.splitlines()[-1] == "1 voided, 0 failed"
    assert acknowledged.stdout.splitlines()[-1] == "0 acknowledged, 0 failed"
    assert (await stored(command_runtime, item.token))[0] == "refunded"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("buy", "bob@example.com", MONTHLY), "No user has this address or id."),
        (("change", "1", "cancel"), "refused this: No subscription has the id 1."),
        (("clock", "soon"), '"soon" is not a duration. Write one like +1month'),
    ],
)
async def test_a_mistake_is_explained(arguments: tuple[str, ...], message: str) -> None:
    result = await run_command("billing", "google", *arguments)

    assert result.exit_code == 1
    assert message in " ".join(result.output.split())


async def test_without_the_fake_it_says_how_to_start_it(
    google_play: GooglePlay, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "No subscriptions." in (await run_command("billing", "google", "list")).output
    monkeypatch.setenv("GOOGLE_PLAY_API_URL", "http://127.0.0.1:1")
    assert "Is `app dev` running?" in (await run_command("billing", "google", "list")).output
    for name in google_play.settings:
        monkeypatch.delenv(name)
    assert "Start `app dev` first" in (await run_command("billing", "google", "list")).output
    for command in ("voided", "acknowledge"):
        assert "docs/google-play.md" in (await run_command("billing", "google", command)).output
