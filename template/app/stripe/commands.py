"""The commands `app billing` of Stripe. They join the group of the module `payments`."""

import click

from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.stripe.api import answering
from app.stripe.settings import StripeSettings
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


def _mode(runtime: Runtime) -> str:
    key = runtime.resource(StripeSettings).STRIPE_SECRET_KEY.get_secret_value()
    return "live mode" if "_live_" in key else "test mode"
