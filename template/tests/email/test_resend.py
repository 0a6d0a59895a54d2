"""Mail through Resend."""

import json

import pytest

from app.email.port import EmailRejectedError, EmailUnavailableError
from app.email.service import EmailService
from tests.email.api_contract import ApiContract
from tests.email.remote_contract import ADA, BOB, EVE, send
from tests.fakes.resend import FakeResend, error
from tests.fakes.server import Reply


class TestResend(ApiContract):
    provider = "resend"
    credentials = "RESEND_API_KEY"
    url = "RESEND_API_URL"
    recognises_repetition = True
    fake_api = FakeResend

    async def test_a_hundred_go_in_one_request(self, email: EmailService, fake: FakeResend) -> None:
        to = [f"user{number}@example.com" for number in range(205)]
        await email.send_bulk(to, "News", "welcome", {"name": None}, idempotency_key="news/1")

        assert [len(json.loads(request.body)) for request in fake.requests] == [100, 100, 5]
        keys = [request.headers["idempotency-key"] for request in fake.requests]
        assert keys == ["news/1/0", "news/1/1", "news/1/2"]

    async def test_a_batch_that_is_sent_again_makes_no_second_mails(
        self, email: EmailService, fake: FakeResend
    ) -> None:
        first, second = [
            await email.send_bulk([ADA, BOB], "News", "welcome", {"name": None}, idempotency_key="news/1")
            for _ in range(2)
        ]

        assert len(fake.mails) == 2
        assert [result.message_id for result in first] == [result.message_id for result in second]

    async def test_a_request_that_is_still_under_way_elsewhere_is_waited_for(
        self, email: EmailService, fake: FakeResend
    ) -> None:
        fake.reply = error(409, "concurrent_idempotent_requests", "Same idempotency key used while original request.")
        with pytest.raises(EmailUnavailableError):
            await send(email)

        assert fake.attempts == 3

    async def test_a_key_with_other_content_is_refused(self, email: EmailService, fake: FakeResend) -> None:
        await email.send_raw(ADA, "Hello", text="One", idempotency_key="1")
        with pytest.raises(EmailRejectedError):
            await email.send_raw(ADA, "Hello", text="Two", idempotency_key="1")

        assert len(fake.mails) == 1

    async def test_a_used_up_quota_is_not_asked_again_at_once(self, email: EmailService, fake: FakeResend) -> None:
        for number, name in enumerate(("daily_quota_exceeded", "monthly_quota_exceeded"), start=1):
            fake.reply = error(429, name, "You have reached your quota.")
            with pytest.raises(EmailUnavailableError):
                await send(email)

            assert fake.attempts == number

    async def test_a_batch_without_ids_is_not_called_sent(self, email: EmailService, fake: FakeResend) -> None:
        for body in (b"", b"[]", b'{"data": 5}', b'{"data": [null, 5]}'):
            fake.reply = Reply(body=body)
            results = await email.send_bulk([ADA, EVE], "News", "welcome", {"name": None})

            assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]
