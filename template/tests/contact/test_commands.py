"""The command `app contact deliveries`."""

import asyncio

import pytest
from click.testing import CliRunner
from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.cli.main import cli
from app.contact.models import ContactDelivery, ContactMessage, DeliveryKind, DeliveryState
from app.core.config.settings import Settings
from app.core.db.database import create_database
from tests.contact.conftest import ADA
from tests.databases import Databases


async def test_shows_deliveries_and_sends_failed_ones_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        assert (await run()).splitlines()[-1] == "No deliveries."
        database = create_database(Settings())
        message = ContactMessage.model_validate({**ADA, "email_key": ADA["email"], "form_id": uuid7()})
        failed = ContactDelivery(
            message_id=message.id,
            kind=DeliveryKind.WEBHOOK,
            state=DeliveryState.FAILED,
            reason="The CRM answers 410 Gone.",
        )
        async with database.transaction() as session:
            await session.execute(insert(ContactMessage).values(message.model_dump()))
            await session.execute(insert(ContactDelivery).values(failed.model_dump()))
        await database.dispose()
        assert (await run()).splitlines()[-1] == "webhook: failed (The CRM answers 410 Gone.): 1"
        assert (await run("--retry")).splitlines()[-2:] == [
            "1 failed deliveries to send, 0 sent.",
            "webhook: failed (UndeliverableError: CONTACT_WEBHOOK_URL is not set.): 1",
        ]


async def run(*arguments: str) -> str:
    """Run the command in a thread, since it brings its own event loop."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["contact", "deliveries", *arguments])
    assert result.exit_code == 0, result.output
    return result.output
