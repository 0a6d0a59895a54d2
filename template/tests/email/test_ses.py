"""Amazon SES."""

import json

import pytest

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.mailer import Mailer
from app.email.module import module
from app.email.providers.ses import SesSettings
from tests.email.http_contract import HttpContract, HttpProvider
from tests.email.remote_contract import ADA, BOB, send
from tests.fakes.ses import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, FakeSes, error


class TestSes(HttpContract):
    provider = HttpProvider(
        name="ses",
        fake=FakeSes,
        url="SES_API_URL",
        settings={
            "SES_REGION": REGION,
            "SES_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "SES_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        },
        secret=SECRET_ACCESS_KEY,
    )

    async def test_an_error_of_the_account_does_not_reject_the_address(self, mailer: Mailer, fake: FakeSes) -> None:
        names = (
            "AccountSuspendedException",
            "SendingPausedException",
            "MailFromDomainNotVerifiedException",
            "LimitExceededException",
        )
        for number, name in enumerate(names, start=1):
            fake.reply = error(400, name, "No.")
            with pytest.raises(EmailUnavailableError):
                await send(mailer)

            assert fake.attempts == number

    async def test_does_not_retry_an_exhausted_daily_quota(self, mailer: Mailer, fake: FakeSes) -> None:
        fake.reply = error(429, "TooManyRequestsException", "Daily message quota exceeded.")
        with pytest.raises(EmailUnavailableError):
            await send(mailer)

        assert fake.attempts == 1

    async def test_each_retry_has_a_new_signature(self, mailer: Mailer, fake: FakeSes) -> None:
        fake.be_busy(2)
        await send(mailer)

        assert len(fake.accepted) == 1
        assert all(fake.authenticates(request) for request in fake.requests)

    async def test_marks_emails_as_automatic(self, mailer: Mailer, fake: FakeSes) -> None:
        await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        for request in fake.requests:
            headers = json.loads(request.body)["Content"]["Simple"]["Headers"]
            assert headers == [{"Name": "Auto-Submitted", "Value": "auto-generated"}]

    async def test_an_attachment_of_an_unsupported_type_is_rejected(self, mailer: Mailer, fake: FakeSes) -> None:
        fake.reply = error(400, "BadRequestException", "Unsupported attachment type.")
        with pytest.raises(EmailRejectedError):
            await send(mailer)

    def test_the_url_follows_from_the_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SES_API_URL")
        assert SesSettings().url == "https://email.eu-west-1.amazonaws.com"

    @pytest.mark.parametrize(
        ("name", "value"), [("SES_REGION", "Ireland"), ("SES_REGION", "eu-west-1.evil"), ("SES_ACCESS_KEY_ID", "a b")]
    )
    def test_region_and_key_id_must_be_well_formed(
        self, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError, match=name):
            create_runtime([core, module])
