"""SendGrid."""

import json

import pytest

from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.mailer import Mailer
from tests.email.http_contract import HttpContract, HttpProvider
from tests.email.remote_contract import ADA, BOB, EVE
from tests.fakes.email_api import API_KEY
from tests.fakes.sendgrid import FakeSendGrid, errors


class TestSendGrid(HttpContract):
    provider = HttpProvider(
        name="sendgrid", fake=FakeSendGrid, url="SENDGRID_API_URL", settings={"SENDGRID_API_KEY": API_KEY}
    )

    async def test_sends_a_thousand_per_request(self, mailer: Mailer, fake: FakeSendGrid) -> None:
        to = [f"user{number}@example.com" for number in range(1003)]
        results = await mailer.send_bulk(to, "News", "welcome", {"name": None})

        assert [len(json.loads(request.body)["personalizations"]) for request in fake.requests] == [1000, 3]
        assert len({result.message_id for result in results}) == 2

    async def test_disables_click_tracking(self, mailer: Mailer, fake: FakeSendGrid) -> None:
        await mailer.send_raw(ADA, "Hello", text="Hello")

        settings = json.loads(fake.requests[0].body)["tracking_settings"]
        assert settings == {"click_tracking": {"enable": False, "enable_text": False}}

    async def test_all_recipients_can_be_rejected(self, mailer: Mailer, fake: FakeSendGrid) -> None:
        for address in (ADA, BOB):
            fake.reject(address)
        results = await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        assert [type(result.error) for result in results] == [EmailRejectedError, EmailRejectedError]
        assert fake.attempts == 1

    async def test_a_failure_after_a_rejection_concerns_the_other_recipients(
        self, mailer: Mailer, fake: FakeSendGrid
    ) -> None:
        fake.reject(EVE)
        fake.lose_replies(2)
        results = await mailer.send_bulk([ADA, EVE], "News", "welcome", {"name": None})

        assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]

    @pytest.mark.parametrize("field", ["personalizations.7.to.0.email", "from.email", None])
    async def test_a_rejection_that_names_no_recipient_concerns_all(
        self, mailer: Mailer, fake: FakeSendGrid, field: str | None
    ) -> None:
        fake.reply = errors(400, ("No.", field))
        results = await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        assert [type(result.error) for result in results] == [EmailRejectedError, EmailRejectedError]
        assert fake.attempts == 1
