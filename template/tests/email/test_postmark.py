"""Postmark."""

import json

import pytest

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.mailer import Mailer
from app.email.module import module
from app.email.port import Attachment, Message, Sender
from app.email.providers.postmark import MAX_BATCH_SIZE, _batch_size
from app.email.validation import MAX_ATTACHMENTS_SIZE
from tests.email.http_contract import HttpContract, HttpProvider
from tests.email.remote_contract import ADA, BOB, EVE, send
from tests.fakes.email_api import API_KEY
from tests.fakes.postmark import FakePostmark
from tests.fakes.server import Reply


class TestPostmark(HttpContract):
    provider = HttpProvider(
        name="postmark", fake=FakePostmark, url="POSTMARK_API_URL", settings={"POSTMARK_SERVER_TOKEN": API_KEY}
    )

    async def test_sends_five_hundred_per_request(self, mailer: Mailer, fake: FakePostmark) -> None:
        to = [f"user{number}@example.com" for number in range(503)]
        await mailer.send_bulk(to, "News", "welcome", {"name": None})

        assert [len(json.loads(request.body)) for request in fake.requests] == [500, 3]
        assert len(fake.accepted) == 503

    async def test_a_batch_with_attachments_stays_below_the_size_limit(
        self, mailer: Mailer, fake: FakePostmark
    ) -> None:
        large = Attachment(filename="large.bin", content=bytes(MAX_ATTACHMENTS_SIZE))
        to = [f"user{number}@example.com" for number in range(5)]
        results = await mailer.send_bulk(to, "News", "welcome", {"name": None}, attachments=[large])

        assert all(result.sent for result in results)
        assert [len(json.loads(request.body)) for request in fake.requests] == [4, 1]
        assert all(len(request.body) < MAX_BATCH_SIZE for request in fake.requests)

    def test_a_batch_of_long_emails_stays_below_the_size_limit(self) -> None:
        sender = Sender(address="me@example.com", name="Me")
        long = Message(sender=sender, subject="News", text="x" * 200_000, html='"' * 200_000)
        assert 600_000 * _batch_size(long) < MAX_BATCH_SIZE

    async def test_disables_tracking_and_names_the_stream(self, mailer: Mailer, fake: FakePostmark) -> None:
        await send(mailer)

        document = json.loads(fake.requests[0].body)
        assert (document["TrackLinks"], document["TrackOpens"]) == ("None", False)
        assert document["MessageStream"] == "outbound"

    async def test_an_error_of_the_account_does_not_reject_the_address(
        self, mailer: Mailer, fake: FakePostmark
    ) -> None:
        # 405 is an exhausted allowance, 412 an account whose approval is pending.
        fake.codes = {ADA: 405, BOB: 412}
        for address in (ADA, BOB):
            with pytest.raises(EmailUnavailableError):
                await send(mailer, address)
        results = await mailer.send_bulk([ADA, EVE, BOB], "News", "welcome", {"name": None})

        assert fake.attempts == 3
        assert [type(result.error) for result in results] == [EmailUnavailableError, type(None), EmailUnavailableError]

    async def test_an_invalid_email_is_rejected(self, mailer: Mailer, fake: FakePostmark) -> None:
        fake.codes = {ADA: 300}
        with pytest.raises(EmailRejectedError):
            await send(mailer)

    async def test_a_batch_without_an_outcome_for_each_is_not_reported_as_sent(
        self, mailer: Mailer, fake: FakePostmark
    ) -> None:
        for body in (b"", b"{}", b"[]", b"[5, 5]", b'[{"ErrorCode": 0}]'):
            fake.reply = Reply(body=body)
            results = await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

            assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]

    def test_the_stream_must_be_an_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("POSTMARK_MESSAGE_STREAM", "My stream")
        with pytest.raises(ConfigurationError, match="POSTMARK_MESSAGE_STREAM"):
            create_runtime([core, module])
