"""What every provider with an HTTP API has to do besides."""

from collections.abc import Iterator
from datetime import timedelta
from typing import ClassVar

import pytest

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.email.module import module
from app.email.port import EmailRejectedError, EmailUnavailableError
from app.email.service import EmailService
from tests.email.remote_contract import RemoteContract, send
from tests.fakes.email_api import API_KEY, CUT, FakeEmailApi, running
from tests.fakes.server import Reply


class ApiContract(RemoteContract):
    """It tells answers apart, and sends its key to nobody else."""

    secret = API_KEY
    url: ClassVar[str]
    """The setting with the API's address."""
    fake_api: ClassVar[type[FakeEmailApi]]

    @pytest.fixture
    def fake(self) -> Iterator[FakeEmailApi]:
        """The provider's API."""
        with running(self.fake_api()) as started:
            yield started

    @pytest.fixture
    def provider_settings(self, fake: FakeEmailApi) -> dict[str, str]:
        return {"EMAIL_PROVIDER": self.provider, self.credentials: API_KEY, self.url: f"{fake.server.url}/"}

    async def test_what_is_refused_for_good_is_not_tried_again(self, email: EmailService, fake: FakeEmailApi) -> None:
        for number, status in enumerate((400, 409, 413, 422), start=1):
            fake.reply = Reply(status=status, body=b"<html>")
            with pytest.raises(EmailRejectedError):
                await send(email)

            assert fake.attempts == number

    async def test_what_somebody_has_to_put_right_is_left_to_the_queue(
        self, email: EmailService, fake: FakeEmailApi
    ) -> None:
        for number, status in enumerate((302, 401, 403, 404, 405), start=1):
            fake.reply = Reply(status=status, headers={"Location": "/elsewhere"})
            with pytest.raises(EmailUnavailableError):
                await send(email)

            assert fake.attempts == number

    @pytest.mark.parametrize("status", [429, 503])
    async def test_what_was_certainly_not_taken_is_tried_again(
        self, email: EmailService, fake: FakeEmailApi, status: int
    ) -> None:
        fake.reply = Reply(status=status)
        with pytest.raises(EmailUnavailableError):
            await send(email)

        assert fake.attempts == 3

    @pytest.mark.parametrize("status", [429, 503])
    async def test_a_pause_that_the_provider_names_is_waited_for_if_it_is_short(
        self, email: EmailService, fake: FakeEmailApi, status: int
    ) -> None:
        for number, (named, attempts) in enumerate({"1": 3, "6": 1}.items(), start=1):
            fake.attempts, fake.reply = 0, Reply(status=status, headers={"Retry-After": named})
            with pytest.raises(EmailUnavailableError) as caught:
                await send(email, key=str(number))

            assert fake.attempts == attempts
            assert caught.value.retry_after == timedelta(seconds=int(named))
            assert caught.value.headers == {"Retry-After": named}

    @pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=502), CUT], ids=["500", "502", "cut"])
    async def test_what_may_have_been_taken_is_tried_again_only_if_the_provider_can_tell(
        self, email: EmailService, fake: FakeEmailApi, reply: Reply
    ) -> None:
        fake.reply = reply
        with pytest.raises(EmailUnavailableError):
            await send(email)

        assert fake.attempts == (3 if self.recognises_repetition else 1)

    async def test_an_answer_without_an_id_is_no_failure(self, email: EmailService, fake: FakeEmailApi) -> None:
        for body in (b"", b"<html>", b"[]", b'{"id": 5}'):
            fake.reply = Reply(body=body)
            result = await email.send_raw("ada@example.com", "Hello", text="Hello")

            assert (result.sent, result.message_id) == (True, None)

    def test_the_address_of_the_api_has_to_be_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for url in (
            "api.example.com",
            "ftp://api.example.com",
            "https://",
            "https://ä.example",
            "http://[",
            "http://a:b",
        ):
            monkeypatch.setenv(self.url, url)
            with pytest.raises(ConfigurationError, match=f"{self.url} has to be an address"):
                create_runtime([core, module])

    def test_the_key_goes_over_no_open_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        with pytest.raises(ConfigurationError, match=f"{self.url} has to begin with https"):
            create_runtime([core, module])

    def test_mail_is_from_a_domain_of_ones_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        monkeypatch.setenv("EMAIL_FROM_ADDRESS", "hello@example.com")
        with pytest.raises(ConfigurationError, match="EMAIL_FROM_ADDRESS is an example value"):
            create_runtime([core, module])
