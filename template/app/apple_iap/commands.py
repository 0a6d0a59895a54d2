"""The commands `app billing apple`."""

from typing import Any

import click

from app.apple_iap.app_store import AppStore
from app.apple_iap.jobs import recover_apple_notifications
from app.apple_iap.settings import AppleSettings
from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.simulation import FakeStore, print_stored

FAKE = FakeStore("the App Store", lambda runtime: runtime.resource(AppleSettings).APPLE_API_URL)

ACTIONS = (
    "cancel",
    "resume",
    "resubscribe",
    "upgrade",
    "downgrade",
    "decline-payments",
    "accept-payments",
    "refund",
    "reverse-refund",
    "raise-price",
    "consent",
    "extend",
)


@click.group("billing")
def billing() -> None:
    """Compare subscriptions with the payment providers, and set up their accounts."""


@billing.group("apple")
def apple() -> None:
    """Simulate purchases in the App Store in local, and recover lost notifications."""


@apple.command("buy")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.argument("product")
@click.option("--trial", is_flag=True, help="Begin with a free trial of 14 days.")
@click.option(
    "--anonymous", is_flag=True, help="Name no user: print the signed transaction, to be linked by a request."
)
@with_runtime
async def buy(runtime: Runtime, who: str, product: str, *, trial: bool, anonymous: bool) -> None:
    """Buy a subscription for a user in the fake App Store of `app dev`.

    PRODUCT is one of `products` in app/plans/plans.toml.
    """
    bought = await FAKE.buy(runtime, who, product, anonymous=anonymous, trial=trial)
    await _show(runtime, bought)
    if anonymous:
        click.echo(bought["signedTransaction"])


@apple.command("change")
@click.argument("id_", metavar="ID")
@click.argument("action", type=click.Choice(ACTIONS))
@click.option("--product", help="The new product of an upgrade or a downgrade.")
@with_runtime
async def change(runtime: Runtime, id_: str, action: str, product: str | None) -> None:
    """Change a subscription in the fake App Store of `app dev`, as its owner or Apple does."""
    await _show(runtime, await FAKE.request(runtime, "POST", f"subscriptions/{id_}/{action}", product=product))


@apple.command("list")
@with_runtime
async def list_(runtime: Runtime) -> None:
    """List the subscriptions in the fake App Store of `app dev`."""
    await FAKE.print_all(runtime)


@apple.command("clock")
@click.argument("duration", metavar="+1month")
@with_runtime
async def clock(runtime: Runtime, duration: str) -> None:
    """Move the clock of the fake App Store: subscriptions renew, fail to renew and expire."""
    await FAKE.move_clock(runtime, duration, runtime.resource(AppStore).provider)


@apple.command("recover")
@with_runtime
async def recover(runtime: Runtime) -> None:
    """Fetch the notifications that did not reach this server within the last three days.

    A job does this daily, where jobs are chosen.
    """
    if not runtime.resource(AppleSettings).is_configured:
        raise click.ClickException("Set the settings of the App Store first: docs/apple-iap.md.")
    outcome = await recover_apple_notifications(runtime)
    click.echo(f"{outcome['recovered']} recovered, {outcome['refused']} refused")


async def _show(runtime: Runtime, item: dict[str, Any]) -> None:
    """Print a subscription as this application stores it, also if the notification found no running server."""
    print_stored(item["id"], await converge(runtime, runtime.resource(AppStore).provider, item["id"]))
