"""The commands `app billing google`."""

from typing import Any

import click

from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.google_iap.convergence import converge_purchase
from app.google_iap.google_play import GooglePlay
from app.google_iap.jobs import acknowledge_google_purchases, poll_voided_google_purchases
from app.google_iap.purchases import remember_token
from app.google_iap.settings import GooglePlaySettings
from app.payments.simulation import FakeStore, print_stored

FAKE = FakeStore("Google Play", lambda runtime: runtime.resource(GooglePlaySettings).GOOGLE_PLAY_API_URL)

ACTIONS = (
    "cancel",
    "restore",
    "replace",
    "resubscribe",
    "pause",
    "decline-payments",
    "accept-payments",
    "complete-payment",
    "cancel-payment",
    "extend",
    "revoke",
    "charge-back",
)


@click.group("billing")
def billing() -> None:
    """Compare subscriptions with the payment providers, and set up their accounts."""


@billing.group("google")
def google() -> None:
    """Simulate purchases in Google Play in local, acknowledge purchases, and fetch refunds."""


@google.command("buy")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.argument("product")
@click.option("--trial", is_flag=True, help="Begin with a free trial of 14 days.")
@click.option("--pending", is_flag=True, help="Leave the payment open, as for a payment in cash.")
@click.option("--anonymous", is_flag=True, help="Name no user: print the purchase token, to be linked by a request.")
@with_runtime
async def buy(runtime: Runtime, who: str, product: str, *, trial: bool, pending: bool, anonymous: bool) -> None:
    """Buy a subscription for a user in the fake Google Play of `app dev`.

    PRODUCT is one of `products` in app/plans/plans.toml.
    """
    bought = await FAKE.buy(runtime, who, product, anonymous=anonymous, trial=trial, pending=pending)
    await _show(runtime, bought)
    if anonymous:
        click.echo(bought["purchaseToken"])


@google.command("change")
@click.argument("id_", metavar="ID")
@click.argument("action", type=click.Choice(ACTIONS))
@click.option("--product", help="The new product of a replacement.")
@with_runtime
async def change(runtime: Runtime, id_: str, action: str, product: str | None) -> None:
    """Change a subscription in the fake Google Play of `app dev`, as its owner or Google does."""
    await _show(runtime, await FAKE.request(runtime, "POST", f"subscriptions/{id_}/{action}", product=product))


@google.command("list")
@with_runtime
async def list_(runtime: Runtime) -> None:
    """List the subscriptions in the fake Google Play of `app dev`."""
    await FAKE.print_all(runtime)


@google.command("clock")
@click.argument("duration", metavar="+1month")
@with_runtime
async def clock(runtime: Runtime, duration: str) -> None:
    """Move the clock of the fake Google Play: subscriptions renew, fail to renew and expire."""
    await FAKE.move_clock(runtime, duration, runtime.resource(GooglePlay).provider)


@google.command("acknowledge")
@with_runtime
async def acknowledge(runtime: Runtime) -> None:
    """Acknowledge the purchases whose acknowledgement has not succeeded yet.

    A job does this hourly, where jobs are chosen.
    """
    _check_configured(runtime)
    outcome = await acknowledge_google_purchases(runtime)
    click.echo(f"{outcome['acknowledged']} acknowledged, {outcome['failed']} failed")


@google.command("voided")
@with_runtime
async def voided(runtime: Runtime) -> None:
    """Fetch the orders of the last 29 days that were refunded, charged back or revoked.

    A job does this daily, where jobs are chosen.
    """
    _check_configured(runtime)
    outcome = await poll_voided_google_purchases(runtime)
    click.echo(f"{outcome['voided']} voided, {outcome['failed']} failed")


def _check_configured(runtime: Runtime) -> None:
    if not runtime.resource(GooglePlaySettings).is_configured:
        raise click.ClickException("Set the settings of Google Play first: docs/google-play.md.")


async def _show(runtime: Runtime, item: dict[str, Any]) -> None:
    """Print a subscription as this application stores it, also if the notification found no running server."""
    stored = await converge_purchase(runtime, await remember_token(runtime, item["purchaseToken"]))
    await acknowledge_google_purchases(runtime)
    print_stored(item["id"], stored)
