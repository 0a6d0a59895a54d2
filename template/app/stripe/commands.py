"""The commands `app billing` of Stripe. They join the group of the module `payments`."""

import click

from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.stripe.api import answering
from app.stripe.fake_clock import move_clock
from app.stripe.settings import API_BASE, StripeSettings
from app.stripe.setup import StripeSetup


@click.group("billing")
def billing() -> None:
    """Set up the account at Stripe."""


@billing.command("setup")
@click.option("--yes", is_flag=True, help="Apply the changes without asking.")
@click.option("--dry-run", is_flag=True, help="Only show the changes.")
@with_runtime
async def setup(runtime: Runtime, *, yes: bool, dry_run: bool) -> None:
    """Create or update products, prices, the customer portal and the webhook endpoint from app/plans/plans.toml.

    Shows the differences first. Repeating it changes nothing.
    """
    if not runtime.resource(StripeSettings).STRIPE_SECRET_KEY.get_secret_value():
        raise UserError("STRIPE_SECRET_KEY is not set. Without a key, `app dev` starts a fake of Stripe instead.")
    changes = await answering(runtime.resource(StripeSetup).changes(runtime))
    for change in changes:
        click.echo(f"  {change.text}")
    if not changes:
        click.echo("The account matches app/plans/plans.toml.")
    if not changes or dry_run:
        return
    if not yes:
        click.confirm(f"Apply {len(changes)} changes in {_mode(runtime)}?", abort=True)
    for change in changes:
        note = await answering(change.apply())
        if note:
            click.echo(note)
    click.echo("Done.")


@billing.command("clock")
@click.argument("step", metavar="STEP")
@with_runtime
async def clock(runtime: Runtime, step: str) -> None:
    """Move the clock of the fake of Stripe forward, and show what happened. STEP is like +1month, +3days or +2hours.

    `app dev` runs the fake while STRIPE_SECRET_KEY is not set.
    """
    settings = runtime.resource(StripeSettings)
    if not settings.STRIPE_SECRET_KEY.get_secret_value() or settings.STRIPE_API_BASE == API_BASE:
        raise UserError("Only the fake has a clock that can be moved. Start `app dev` without STRIPE_SECRET_KEY.")
    moved = await move_clock(settings, step)
    for line in moved.lines:
        click.echo(line)
    click.echo(f"It is {moved.now:%d %B %Y, %H:%M} UTC at the fake.")


def _mode(runtime: Runtime) -> str:
    key = runtime.resource(StripeSettings).STRIPE_SECRET_KEY.get_secret_value()
    return "live mode" if "_live_" in key else "test mode"
