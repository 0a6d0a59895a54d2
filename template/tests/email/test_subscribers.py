"""Emails in response to events."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.config.settings import ConfigurationError, load_settings
from app.core.data_policy.daily_report import DailyReport, generate_daily_report
from app.core.ports.events import UserNotice
from app.core.ports.user_files import NoUserFiles
from app.core.runtime import Runtime
from app.email.providers.console import ConsoleEmail, PrintedEmail
from app.email.settings import EmailSettings
from app.email.subscribers import on_daily_report, on_user_notice
from app.users.jobs import export_user_data
from tests.conftest import ME, SignIn

LINK = "https://files.example.com/data.json?signature=s3cret"


@dataclass
class Files:
    """A store for users' files, with or without links."""

    url: str | None = None
    kept: list[bytes] = field(default_factory=list)

    async def keep(
        self, user_id: UUID, name: str, content: AsyncIterator[bytes], *, content_type: str, lifetime: timedelta
    ) -> UUID | None:
        """See `UserFiles.keep`."""
        assert user_id
        assert (name[-5:], content_type, lifetime) == (".json", "application/json", timedelta(days=7))
        self.kept.append(b"".join([piece async for piece in content]))
        return uuid4()

    async def link(self, user_id: UUID, file_id: UUID, *, lifetime: timedelta) -> str | None:
        """See `UserFiles.link`."""
        assert (bool(user_id), bool(file_id), lifetime) == (True, True, timedelta(days=1))
        return self.url


@pytest.fixture
async def user_id(runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn) -> str:
    """A user who has already received the welcome email."""
    id_ = str((await client.get(ME, headers=await sign_in(email="ada@example.com"))).json()["id"])
    await runtime.queue.drain()
    runtime.resource(ConsoleEmail).outbox.clear()
    return id_


async def export(runtime: Runtime, user_id: str) -> PrintedEmail:
    """Export the user's data and return the one email about it."""
    await export_user_data(runtime, user_id)
    await runtime.queue.drain()
    (printed,) = runtime.resource(ConsoleEmail).outbox
    return printed


class TestExport:
    async def test_has_a_link_if_the_store_creates_links(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = files = Files(LINK)

        printed = await export(runtime, user_id)

        assert (printed.to, printed.message.subject) == ("ada@example.com", "Your data export is ready")
        assert f"Download the file: {LINK}" in printed.message.text
        assert "works for one day" in printed.message.text
        assert user_id.encode() in files.kept[0]

    async def test_has_an_absolute_link_if_the_store_returns_a_path(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = Files("/api/v1/public/files/1?signature=s3cret")

        printed = await export(runtime, user_id)

        assert "Download the file: http://testserver/api/v1/public/files/1?signature=s3cret" in printed.message.text

    async def test_has_no_link_if_the_store_creates_none(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = Files()

        printed = await export(runtime, user_id)

        assert "in your files, where it is kept for a week" in printed.message.text
        assert "link" not in printed.message.text

    async def test_asks_for_a_reply_if_there_is_no_file(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = NoUserFiles()

        printed = await export(runtime, user_id)

        assert "Reply to this email" in printed.message.text
        assert user_id not in printed.message.text

    async def test_the_link_is_in_no_queue(
        self, runtime: Runtime, user_id: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runtime.user_files = Files(LINK)
        queued: list[object] = []
        enqueue = runtime.queue.enqueue

        async def note(*args: object, **options: object) -> str:
            queued.append((args, options))
            return await enqueue(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(runtime.queue, "enqueue", note)
        await export(runtime, user_id)

        assert queued
        assert "s3cret" not in str(queued)


class TestUserNotice:
    async def test_is_sent_with_its_button(self, runtime: Runtime, user_id: str) -> None:
        notice = UserNotice(
            user_id=UUID(user_id), key="n/1", title="Pay now", text="One.\n\nTwo.", url="/invoices/7", label="Open"
        )
        async with runtime.database.transaction() as session:
            await runtime.events.publish(session, notice)
        await runtime.queue.drain()

        (printed,) = runtime.resource(ConsoleEmail).outbox
        assert (printed.to, printed.message.subject) == ("ada@example.com", "Pay now")
        assert "Open: http://testserver/invoices/7" in printed.message.text

    async def test_needs_no_button(self, runtime: Runtime, user_id: str) -> None:
        await on_user_notice(runtime, UserNotice(user_id=UUID(user_id), key="n/2", title="Done", text="One."))
        (printed,) = runtime.resource(ConsoleEmail).outbox
        assert "One." in printed.message.text


class TestDailyReport:
    @pytest.fixture(autouse=True)
    def recipient(self, environment: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:  # noqa: ARG002 - the order matters
        """Set the recipient; a test can set another value or none."""
        monkeypatch.setenv("REPORT_EMAIL", getattr(request, "param", "team@example.com"))

    async def test_is_sent_to_the_recipient(self, runtime: Runtime) -> None:
        await generate_daily_report(runtime)
        await runtime.queue.drain()

        (printed,) = runtime.resource(ConsoleEmail).outbox
        assert printed.to == "team@example.com"
        assert "users created: 0" in printed.message.text

    async def test_has_one_key_per_day(self, runtime: Runtime) -> None:
        report = DailyReport(day=date(2026, 3, 1), metrics={"cups_sold": 3})
        await on_daily_report(runtime, report)
        await on_daily_report(runtime, report)

        printed = list(runtime.resource(ConsoleEmail).outbox)
        assert {mail.key for mail in printed} == {"report/2026-03-01"}
        assert printed[0].message.subject == "Test: 2026-03-01"
        assert "cups sold: 3" in printed[0].message.text

    @pytest.mark.parametrize("recipient", [""], indirect=True)
    async def test_is_not_sent_without_a_recipient(self, runtime: Runtime) -> None:
        await generate_daily_report(runtime)
        await runtime.queue.drain()

        assert not runtime.resource(ConsoleEmail).outbox

    @pytest.mark.parametrize("recipient", ["team", "a@example.com, b@example.com"], indirect=True)
    def test_the_recipient_must_be_one_address(self) -> None:
        with pytest.raises(ConfigurationError, match="REPORT_EMAIL must be an address"):
            load_settings([EmailSettings])
