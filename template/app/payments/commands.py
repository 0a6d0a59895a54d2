"""The commands `app billing`. The modules of the providers add their own to the group."""

from uuid import UUID

import click
from sqlalchemy import select
from sqlmodel import col

from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.payments.reconciliation import Outcome, reconcile, sync_user
from app.users.models import User


@click.group("billing")
def billing() -> None:
    """Compare subscriptions with the payment providers, and set up their accounts."""


@billing.command("sync")
@click.argument("who", metavar="EMAIL_OR_ID")
@with_runtime
async def sync(runtime: Runtime, who: str) -> None:
    """Compare a user's subscriptions with the payment providers, and repair what differs."""
    _report(await sync_user(runtime, await find_user(runtime, who)))


@billing.command("reconcile")
@with_runtime
async def reconcile_all(runtime: Runtime) -> None:
    """Compare all subscriptions with the payment providers, and repair what differs."""
    _report(await reconcile(runtime))


async def find_user(runtime: Runtime, who: str) -> UUID:
    """Return the id of the user with this id or email address."""
    try:
        condition = col(User.id) == UUID(who)
    except ValueError:
        condition = col(User.email) == who.lower()
    async with runtime.database.reading() as session:
        found = (await session.scalars(select(col(User.id)).where(condition).limit(2))).all()
    if len(found) != 1:
        reason = "No user has" if not found else "Several users have"
        raise click.ClickException(f"{reason} this address or id. `app user list` shows the ids.")
    return found[0]


def _report(outcomes: list[Outcome]) -> None:
    for outcome in outcomes:
        line = f"{outcome.provider}: {outcome.checked} checked, {outcome.repaired} repaired, {outcome.failed} failed"
        click.echo(line)
    if not outcomes:
        click.echo("This project has no payment provider.")
    if any(outcome.failed for outcome in outcomes):
        raise click.ClickException("Some subscriptions could not be compared. Try again later.")
