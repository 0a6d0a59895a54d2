"""Mails about what goes on by itself."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from app.core.config.settings import ConfigurationError, load_settings
from app.core.data_policy.daily_report import DailyReport, generate_daily_report
from app.core.ports.user_files import NoUserFiles
from app.core.runtime import Runtime
from app.email.news import on_daily_report
from app.email.providers.console import ConsoleEmail, Shown
from app.email.settings import EmailSettings
from app.users.jobs import export_user_data
from tests.conftest import ME, SignIn

LINK = "https://files.example.com/data.json?signature=s3cret"


@dataclass
class Files:
    """A place for files, with or without links."""

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
    """Somebody who wants their data, and has been greeted."""
    id_ = str((await client.get(ME, headers=await sign_in(email="ada@example.com"))).json()["id"])
    await runtime.queue.drain()
    runtime.resource(ConsoleEmail).outbox.clear()
    return id_


async def export(runtime: Runtime, user_id: str) -> Shown:
    """Makes an export; the one mail that comes of it."""
    await export_user_data(runtime, user_id)
    await runtime.queue.drain()
    (shown,) = runtime.resource(ConsoleEmail).outbox
    return shown


class TestExport:
    async def test_is_told_with_a_link_where_there_are_such(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = files = Files(LINK)

        shown = await export(runtime, user_id)

        assert (shown.to, shown.message.subject) == ("ada@example.com", "Your data are ready")
        assert f"Download the file: {LINK}" in shown.message.text
        assert "works for a day" in shown.message.text
        assert user_id.encode() in files.kept[0]

    async def test_is_told_without_one_where_it_is_among_ones_files_only(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = Files()

        shown = await export(runtime, user_id)

        assert "among your files for a week" in shown.message.text
        assert "link" not in shown.message.text

    async def test_is_not_in_the_mail_where_an_administrator_keeps_it(self, runtime: Runtime, user_id: str) -> None:
        runtime.user_files = NoUserFiles()

        shown = await export(runtime, user_id)

        assert "Answer this mail" in shown.message.text
        assert user_id not in shown.message.text

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


class TestDailyReport:
    @pytest.fixture(autouse=True)
    def recipient(self, environment: None, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:  # noqa: ARG002 - the order matters
        """Somebody is to have it, unless the test says that nobody is."""
        monkeypatch.setenv("REPORT_EMAIL", getattr(request, "param", "team@example.com"))

    async def test_goes_to_who_is_to_have_it(self, runtime: Runtime) -> None:
        await generate_daily_report(runtime)
        await runtime.queue.drain()

        (shown,) = runtime.resource(ConsoleEmail).outbox
        assert shown.to == "team@example.com"
        assert "users created: 0" in shown.message.text

    async def test_of_one_day_is_one_mail(self, runtime: Runtime) -> None:
        report = DailyReport(day=date(2026, 3, 1), metrics={"cups_sold": 3})
        await on_daily_report(runtime, report)
        await on_daily_report(runtime, report)

        shown = list(runtime.resource(ConsoleEmail).outbox)
        assert {mail.key for mail in shown} == {"report/2026-03-01"}
        assert shown[0].message.subject == "Test: 2026-03-01"
        assert "cups sold: 3" in shown[0].message.text

    @pytest.mark.parametrize("recipient", [""], indirect=True)
    async def test_goes_nowhere_when_nobody_is_to_have_it(self, runtime: Runtime) -> None:
        await generate_daily_report(runtime)
        await runtime.queue.drain()

        assert not runtime.resource(ConsoleEmail).outbox

    @pytest.mark.parametrize("recipient", ["team", "a@example.com, b@example.com"], indirect=True)
    def test_has_one_address_or_the_application_does_not_start(self) -> None:
        with pytest.raises(ConfigurationError, match="REPORT_EMAIL has to be an address"):
            load_settings([EmailSettings])
