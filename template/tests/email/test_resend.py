"""Resend."""

import json

import pytest

from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.mailer import Mailer
from tests.email.contract import ATTACHMENTS
from tests.email.http_contract import HttpContract, HttpProvider
from tests.email.remote_contract import ADA, BOB, EVE, send
from tests.fakes.email_api import API_KEY
from tests.fakes.resend import FakeResend, error
from tests.fakes.server import Reply


class TestResend(HttpContract):
    provider = HttpProvider(
        name="resend",
        fake=FakeResend,
        url="RESEND_API_URL",
        settings={"RESEND_API_KEY": API_KEY},
        detects_duplicates=True,
    )

    async def test_sends_a_hundred_per_request(self, mailer: Mailer, fake: FakeResend) -> None:
        to = [f"user{number}@example.com" for number in range(205)]
        await mailer.send_bulk(to, "News", "welcome", {"name": None}, idempotency_key="news/1")

        assert [len(json.loads(request.body)) for request in fake.requests] == [100, 100, 5]
        keys = [request.headers["idempotency-key"] for request in fake.requests]
        assert keys == ["news/1/0", "news/1/1", "news/1/2"]

    async def test_sends_attachments_outside_batches_with_a_key_for_each(
        self, mailer: Mailer, fake: FakeResend
    ) -> None:
        data = {"name": None}
        await mailer.send_bulk([ADA, BOB], "News", "welcome", data, attachments=ATTACHMENTS, idempotency_key="news/1")

        assert [request.path for request in fake.requests] == ["/emails", "/emails"]
        assert [request.headers["idempotency-key"] for request in fake.requests] == ["news/1/0", "news/1/1"]

    async def test_a_repeated_batch_sends_no_second_emails(self, mailer: Mailer, fake: FakeResend) -> None:
        first, second = [
            await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None}, idempotency_key="news/1")
            for _ in range(2)
        ]

        assert len(fake.accepted) == 2
        assert [result.message_id for result in first] == [result.message_id for result in second]

    async def test_retries_while_another_request_with_the_key_is_in_progress(
        self, mailer: Mailer, fake: FakeResend
    ) -> None:
        fake.reply = error(409, "concurrent_idempotent_requests", "Same idempotency key used while original request.")
        with pytest.raises(EmailUnavailableError):
            await send(mailer)

        assert fake.attempts == 3

    async def test_rejects_a_key_with_different_content(self, mailer: Mailer, fake: FakeResend) -> None:
        await mailer.send_raw(ADA, "Hello", text="One", idempotency_key="1")
        with pytest.raises(EmailRejectedError):
            await mailer.send_raw(ADA, "Hello", text="Two", idempotency_key="1")

        assert len(fake.accepted) == 1

    async def test_does_not_retry_an_exhausted_quota(self, mailer: Mailer, fake: FakeResend) -> None:
        for number, name in enumerate(("daily_quota_exceeded", "monthly_quota_exceeded"), start=1):
            fake.reply = error(429, name, "You have reached your quota.")
            with pytest.raises(EmailUnavailableError):
                await send(mailer)

            assert fake.attempts == number

    async def test_a_batch_without_ids_is_not_reported_as_sent(self, mailer: Mailer, fake: FakeResend) -> None:
        for body in (b"", b"[]", b'{"data": 5}', b'{"data": [null, 5]}'):
            fake.reply = Reply(body=body)
            results = await mailer.send_bulk([ADA, EVE], "News", "welcome", {"name": None})

            assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]
