"""Mail through SendGrid."""

import json

import pytest

from app.email.port import EmailRejectedError, EmailUnavailableError
from app.email.service import EmailService
from tests.email.api_contract import ApiContract
from tests.email.remote_contract import ADA, BOB, EVE
from tests.fakes.sendgrid import FakeSendGrid, errors


class TestSendGrid(ApiContract):
    provider = "sendgrid"
    credentials = "SENDGRID_API_KEY"
    url = "SENDGRID_API_URL"
    fake_api = FakeSendGrid

    async def test_a_thousand_go_in_one_request(self, email: EmailService, fake: FakeSendGrid) -> None:
        to = [f"user{number}@example.com" for number in range(1003)]
        results = await email.send_bulk(to, "News", "welcome", {"name": None})

        assert [len(json.loads(request.body)["personalizations"]) for request in fake.requests] == [1000, 3]
        assert len({result.message_id for result in results}) == 2

    async def test_links_go_through_nobodys_statistics(self, email: EmailService, fake: FakeSendGrid) -> None:
        await email.send_raw(ADA, "Hello", text="Hello")

        settings = json.loads(fake.requests[0].body)["tracking_settings"]
        assert settings == {"click_tracking": {"enable": False, "enable_text": False}}

    async def test_all_of_many_may_be_refused(self, email: EmailService, fake: FakeSendGrid) -> None:
        for address in (ADA, BOB):
            fake.refuse(address)
        results = await email.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        assert [type(result.error) for result in results] == [EmailRejectedError, EmailRejectedError]
        assert fake.attempts == 1

    async def test_trouble_after_one_was_refused_is_that_of_the_others(
        self, email: EmailService, fake: FakeSendGrid
    ) -> None:
        fake.refuse(EVE)
        fake.lose_answers(2)
        results = await email.send_bulk([ADA, EVE], "News", "welcome", {"name": None})

        assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]

    @pytest.mark.parametrize("field", ["personalizations.7.to.0.email", "from.email", None])
    async def test_a_refusal_that_names_nobody_is_everybodys(
        self, email: EmailService, fake: FakeSendGrid, field: str | None
    ) -> None:
        fake.reply = errors(400, ("No.", field))
        results = await email.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        assert [type(result.error) for result in results] == [EmailRejectedError, EmailRejectedError]
        assert fake.attempts == 1
