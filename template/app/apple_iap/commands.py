"""The commands `app billing apple`."""

from typing import Any

import click

from app.apple_iap.app_store import AppStore
from app.apple_iap.jobs import recover_apple_notifications
from app.apple_iap.settings import AppleSettings
from app.apple_iap.simulation import simulate
from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.payments.commands import find_user
from app.payments.convergence import converge
from app.payments.reconciliation import reconcile_provider
from app.payments.simulation import parse_duration

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
    user_id = await find_user(runtime, who)
    account = None if anonymous else str(user_id)
    bought = await simulate(runtime, "POST", "subscriptions", product=product, account=account, trial=trial)
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
    await _show(runtime, await simulate(runtime, "POST", f"subscriptions/{id_}/{action}", product=product))


@apple.command("list")
@with_runtime
async def list_(runtime: Runtime) -> None:
    """List the subscriptions in the fake App Store of `app dev`."""
    found = (await simulate(runtime, "GET", "subscriptions"))["subscriptions"]
    for item in found:
        click.echo(f"{item['originalTransactionId']}  {item['status']:13}  {item['expires'][:19]}  {item['product']}")
    if not found:
        click.echo("No subscriptions.")


@apple.command("clock")
@click.argument("duration", metavar="+1month")
@with_runtime
async def clock(runtime: Runtime, duration: str) -> None:
    """Move the clock of the fake App Store: subscriptions renew, fail to renew and expire."""
    seconds = parse_duration(duration).total_seconds()
    moved = await simulate(runtime, "POST", "clock", seconds=seconds)
    outcome = await reconcile_provider(runtime, runtime.resource(AppStore).provider)
    click.echo(f"In the App Store it is now {moved['now'][:19]}. {outcome.checked} subscriptions checked.")


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
    id_ = item["originalTransactionId"]
    stored = await converge(runtime, runtime.resource(AppStore).provider, id_)
    if stored is not None:
        click.echo(f"{id_}  {stored.status}  plan {stored.plan}, user {stored.user_id}")
