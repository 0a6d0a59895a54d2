"""The command `app contact deliveries`."""

import click
from sqlalchemy import func, select
from sqlmodel import col

from app.contact.delivery import deliver_due, retry_failed
from app.contact.models import ContactDelivery
from app.core.commands import with_runtime
from app.core.runtime import Runtime


@click.group()
def contact() -> None:
    """Show the emails and webhooks of the contact form, and retry failed ones."""


@contact.command()
@click.option("--retry", is_flag=True, help="Send failed deliveries again, once the cause is removed.")
@with_runtime
async def deliveries(runtime: Runtime, *, retry: bool) -> None:
    """Show how many deliveries are pending, sent or failed, and why."""
    if retry:
        click.echo(f"{await retry_failed(runtime)} failed deliveries to send, {await deliver_due(runtime)} sent.")
    groups = (col(ContactDelivery.kind), col(ContactDelivery.state), col(ContactDelivery.reason))
    statement = select(*groups, func.count()).group_by(*groups).order_by(*groups)
    async with runtime.database.reading() as session:
        rows = (await session.execute(statement)).all()
    for kind, state, reason, count in rows:
        click.echo(f"{kind}: {state}{f' ({reason})' if reason else ''}: {count}")
    if not rows:
        click.echo("No deliveries.")
