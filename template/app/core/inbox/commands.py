"""What the core adds to the command `app`: the inbox, for whoever looks after the application."""

from uuid import UUID

import click

from app.core.commands import with_runtime
from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.inbox.service import get_event, list_events, replay
from app.core.runtime import Runtime


@click.group()
def inbox() -> None:
    """Shows what other systems' webhooks have told, and runs again what failed."""


@inbox.command("list")
@click.option("--status", type=click.Choice([str(status) for status in InboxStatus]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
@with_runtime
async def list_(runtime: Runtime, status: str | None, limit: int) -> None:
    """Lists events, the newest first. What they carry is not shown."""
    events = await list_events(runtime, status=InboxStatus(status) if status else None, limit=limit)
    for event in events:
        click.echo(_line(event))
    if not events:
        click.echo("There are none.")


@inbox.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@with_runtime
async def retry(runtime: Runtime, id_: UUID) -> None:
    """Handles a failed event again, now."""
    if not await replay(runtime, id_, now=True):
        raise click.ClickException(f"No failed event has the id {id_}; `app inbox list --status failed` shows those.")
    event = await get_event(runtime, id_)
    if event is not None and event.error is not None:
        raise click.ClickException(f"It failed again. {event.error}")
    click.echo("Done." if event is not None and event.status == InboxStatus.DONE else "Another process has it now.")


def _line(event: InboxEvent) -> str:
    received = f"{event.received_at:%Y-%m-%d %H:%M:%S}"
    attempts = f"{event.attempts} attempt{'' if event.attempts == 1 else 's'}"
    parts = (event.id, received, event.status, event.provider, event.event_id, attempts, event.error or "")
    return "  ".join(str(part) for part in parts).rstrip()
