"""The contract of providers with an HTTP API."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.mailer import Mailer
from app.email.module import module
from tests.email.remote_contract import RemoteContract, RemoteProvider, send
from tests.fakes.email_api import API_KEY, INTERRUPTED, FakeEmailApi, running
from tests.fakes.server import Reply


@dataclass(frozen=True, kw_only=True)
class HttpProvider(RemoteProvider):
    """The description of a provider with an HTTP API for the contract.

    Attributes:
        fake: creates its fake, which knows how the provider authenticates and replies.
        url: the setting with the API's base URL.
    """

    fake: Callable[[], FakeEmailApi]
    url: str
    secret: str = API_KEY


class HttpContract(RemoteContract):
    """A provider with an HTTP API distinguishes failures by status, and sends its credentials over TLS only."""

    provider: ClassVar[HttpProvider]

    @pytest.fixture
    def fake(self) -> Iterator[FakeEmailApi]:
        """The provider's API."""
        with running(self.provider.fake()) as started:
            yield started

    @pytest.fixture
    def provider_settings(self, fake: FakeEmailApi) -> dict[str, str]:
        return {
            "EMAIL_PROVIDER": self.provider.name,
            self.provider.url: f"{fake.server.url}/",
            **self.provider.settings,
        }

    async def test_does_not_retry_a_rejected_email(self, mailer: Mailer, fake: FakeEmailApi) -> None:
        for number, status in enumerate((400, 409, 413, 422), start=1):
            fake.reply = Reply(status=status, body=b"<html>")
            with pytest.raises(EmailRejectedError):
                await send(mailer)

            assert fake.attempts == number

    async def test_leaves_failures_that_need_action_to_the_queue(self, mailer: Mailer, fake: FakeEmailApi) -> None:
        for number, status in enumerate((302, 401, 403, 404, 405), start=1):
            fake.reply = Reply(status=status, headers={"Location": "/elsewhere"})
            with pytest.raises(EmailUnavailableError):
                await send(mailer)

            assert fake.attempts == number

    @pytest.mark.parametrize("status", [429, 503])
    async def test_retries_a_busy_provider(self, mailer: Mailer, fake: FakeEmailApi, status: int) -> None:
        fake.reply = Reply(status=status)
        with pytest.raises(EmailUnavailableError):
            await send(mailer)

        assert fake.attempts == 3

    @pytest.mark.parametrize("status", [429, 503])
    async def test_honours_a_short_retry_after(self, mailer: Mailer, fake: FakeEmailApi, status: int) -> None:
        for number, (seconds, attempts) in enumerate({"1": 3, "6": 1}.items(), start=1):
            fake.attempts, fake.reply = 0, Reply(status=status, headers={"Retry-After": seconds})
            with pytest.raises(EmailUnavailableError) as caught:
                await send(mailer, key=str(number))

            assert fake.attempts == attempts
            assert caught.value.retry_after == timedelta(seconds=int(seconds))
            assert caught.value.headers == {"Retry-After": seconds}

    @pytest.mark.parametrize("reply", [Reply(status=500), Reply(status=502), INTERRUPTED], ids=["500", "502", "cut"])
    async def test_retries_an_unknown_outcome_only_if_duplicates_are_detected(
        self, mailer: Mailer, fake: FakeEmailApi, reply: Reply
    ) -> None:
        fake.reply = reply
        with pytest.raises(EmailUnavailableError):
            await send(mailer)

        assert fake.attempts == (3 if self.provider.detects_duplicates else 1)

    async def test_a_reply_without_an_id_is_not_a_failure(self, mailer: Mailer, fake: FakeEmailApi) -> None:
        for body in (b"", b"<html>", b"[]", b'{"id": 5, "MessageID": 5, "MessageId": 5}'):
            fake.reply = Reply(body=body)
            result = await mailer.send_raw("ada@example.com", "Hello", text="Hello")

            assert (result.sent, result.message_id) == (True, None)

    def test_the_url_must_be_a_web_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for url in (
            "api.example.com",
            "ftp://api.example.com",
            "https://",
            "https://ä.example",
            "http://[",
            "http://a:b",
        ):
            monkeypatch.setenv(self.provider.url, url)
            with pytest.raises(ConfigurationError, match=f"{self.provider.url} must be a URL"):
                create_runtime([core, module])

    def test_credentials_are_sent_over_tls_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        with pytest.raises(ConfigurationError, match=f"{self.provider.url} must start with https"):
            create_runtime([core, module])

    def test_the_sender_must_not_be_an_example(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        monkeypatch.setenv("EMAIL_FROM_ADDRESS", "hello@example.com")
        with pytest.raises(ConfigurationError, match="EMAIL_FROM_ADDRESS is an example value"):
            create_runtime([core, module])
