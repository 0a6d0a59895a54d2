"""The command `app billing usage`. It joins the group of the module `payments`."""

import click
from sqlalchemy import func, select
from sqlmodel import col

from app.core.commands import with_runtime
from app.core.runtime import Runtime
from app.stripe.api import answering
from app.usage_billing import statements
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.reconciliation import reconcile


@click.group("billing")
def billing() -> None:
    """Show the usage that is billed."""


@billing.command("usage")
@click.option("--reconcile", "compare", is_flag=True, help="Compare the sums with Stripe's. Exit with 1 if any differ.")
@click.option("--send-again", is_flag=True, help="Send rejected records again, once the cause is removed.")
@with_runtime
async def usage(runtime: Runtime, *, compare: bool, send_again: bool) -> None:
    """Show how many usage records are pending, parked, sent, rejected or unclear."""
    if send_again:
        rejected = select(col(UsageRecord.id)).where(col(UsageRecord.state) == UsageState.REJECTED)
        async with runtime.database.reading() as session:
            ids = (await session.scalars(rejected)).all()
        click.echo(f"{await statements.send_again(runtime.database, ids)} records will be sent again.")
    for meter, state, reason, count, quantity in await _summary(runtime):
        click.echo(f"{meter}: {state}{f' ({reason})' if reason else ''}: {count} records, {quantity} units")
    if compare:
        await _compare(runtime)


async def _summary(runtime: Runtime) -> list[tuple[str, UsageState, str | None, int, int]]:
    groups = (col(UsageRecord.meter), col(UsageRecord.state), col(UsageRecord.reason))
    sums = (func.count(), func.sum(col(UsageRecord.quantity)))
    async with runtime.database.reading() as session:
        rows = (await session.execute(select(*groups, *sums).group_by(*groups).order_by(*groups))).all()
    return [(meter, state, reason, count, int(quantity)) for meter, state, reason, count, quantity in rows]


async def _compare(runtime: Runtime) -> None:
    compared, drifts = await answering(reconcile(runtime))
    for drift in drifts:
        there = "the account has no such meter" if drift.counted is None else f"Stripe counted {drift.counted}"
        click.echo(f"{drift.meter}, {drift.customer_id}: {drift.sent} sent, {there}")
    click.echo(f"{compared} sums compared, {len(drifts)} differ.")
    if drifts:
        raise click.ClickException("The sums differ: see docs/usage-billing.md.")
