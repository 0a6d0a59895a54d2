"""The commands `app inbox`: list webhook events and retry failed ones."""

from uuid import UUID

import click

from app.core.commands import with_runtime
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.inbox.service import get_event, list_events, replay
from app.core.runtime import Runtime


@click.group()
def inbox() -> None:
    """List the webhook events from other systems, and retry failed ones."""


@inbox.command("list")
@click.option(
    "--status", type=click.Choice([str(status) for status in InboxStatus]), help="Only events with this status."
)
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Maximum number of events.")
@with_runtime
async def list_(runtime: Runtime, status: str | None, limit: int) -> None:
    """List events, newest first. Payloads are not shown."""
    events = await list_events(runtime, status=InboxStatus(status) if status else None, limit=limit)
    for event in events:
        click.echo(_line(event))
    if not events:
        click.echo("No events.")


@inbox.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@with_runtime
async def retry(runtime: Runtime, id_: UUID) -> None:
    """Retry a failed event now."""
    if not await replay(runtime, id_, now=True):
        raise click.ClickException(
            f"There is no failed event {id_}. `app inbox list --status failed` lists failed events."
        )
    event = await get_event(runtime, id_)
    if event is not None and event.error is not None:
        raise click.ClickException(f"The event failed again: {event.error}")
    click.echo(
        "Done." if event is not None and event.status == InboxStatus.DONE else "Another process is handling the event."
    )


def _line(event: InboxEvent) -> str:
    received = f"{event.received_at:%Y-%m-%d %H:%M:%S}"
    attempts = f"{event.attempts} attempt{'' if event.attempts == 1 else 's'}"
    parts = (event.id, received, event.status, event.provider, event.event_id, attempts, event.error or "")
    return "  ".join(str(part) for part in parts).rstrip()
