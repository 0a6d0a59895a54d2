"""The contract of providers that are reached over a network."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

import pytest
import stamina
from sqlalchemy import select, update
from structlog.testing import capture_logs

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.jobs import send_welcome_email
from app.email.mailer import Mailer
from app.email.module import module
from app.email.providers.console import ConsoleEmail
from app.email.settings import EmailSettings
from app.users.models import users
from tests.conftest import SignIn
from tests.email.contract import EmailContract, Provider
from tests.email.fake_provider import FakeProvider, ReceivedEmail

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"


async def send(mailer: Mailer, to: str = ADA, *, key: str | None = None) -> None:
    """Send a typical email."""
    await mailer.send_raw(to, "Private subject", text="Private words", idempotency_key=key)


@dataclass(frozen=True, kw_only=True)
class RemoteProvider(Provider):
    """The description of a remote provider for the contract.

    Attributes:
        settings: the settings without which it cannot be selected, with values that its fake accepts.
        secret: the part of the settings that must not be logged.
        detects_duplicates: whether it recognises a repeated request by its idempotency key.
        stable_ids: whether a duplicate has the same message id, so that the recipient's server can recognise it.
    """

    settings: Mapping[str, str]
    secret: str
    detects_duplicates: bool = False
    stable_ids: bool = False


class RemoteContract(EmailContract):
    """A remote provider retries what cannot become a second email, reports failures, and logs no content."""

    provider: ClassVar[RemoteProvider]

    @pytest.fixture
    def fake(self) -> FakeProvider:
        """The fake provider."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def no_pauses(self) -> Iterator[None]:
        """Retry without pauses."""
        with stamina.set_testing(True, attempts=3):
            yield

    def received(self, runtime: Runtime) -> list[ReceivedEmail]:
        del runtime
        return self.accepted

    @pytest.fixture(autouse=True)
    def _accepted(self, fake: FakeProvider) -> None:
        self.accepted = fake.accepted

    async def test_retries_rejected_emails(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.be_busy(2)
        await send(mailer)

        assert (len(fake.accepted), fake.attempts) == (1, 3)

    async def test_gives_up_after_three_attempts(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.be_busy(3)
        with pytest.raises(EmailUnavailableError) as caught:
            await send(mailer)

        assert (caught.value.status, caught.value.code) == (503, "EMAIL_UNAVAILABLE")
        assert (fake.accepted, fake.attempts) == ([], 3)

    async def test_reports_a_provider_that_is_down(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.stop()

        with pytest.raises(EmailUnavailableError):
            await send(mailer)
        results = await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None})
        assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]

    async def test_a_lost_reply_causes_no_second_email(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.lose_replies(1)
        if self.provider.detects_duplicates:
            await send(mailer)
            assert fake.attempts == 2
        else:
            with pytest.raises(EmailUnavailableError):
                await send(mailer)
            assert fake.attempts == 1

        assert len(fake.accepted) == 1

    async def test_the_same_key_causes_no_second_email_if_the_provider_supports_it(
        self, mailer: Mailer, fake: FakeProvider
    ) -> None:
        await send(mailer, key="welcome/1")
        await send(mailer, key="welcome/1")
        await send(mailer, key="welcome/2")

        assert len(fake.accepted) == (2 if self.provider.detects_duplicates else 3)

    async def test_stops_calling_a_provider_that_keeps_failing(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.be_busy(100)
        for _ in range(4):
            with pytest.raises(EmailUnavailableError):
                await send(mailer)

        assert fake.attempts == 5

    async def test_does_not_retry_a_rejected_address(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.reject(EVE)
        for _ in range(6):
            with pytest.raises(EmailRejectedError) as caught:
                await send(mailer, EVE)

        assert (caught.value.status, caught.value.code) == (400, "EMAIL_REJECTED")
        assert (fake.accepted, fake.attempts) == ([], 6)
        await send(mailer)

    async def test_one_rejected_address_does_not_affect_the_others(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.reject(EVE)
        results = await mailer.send_bulk([ADA, EVE, BOB], "News", "welcome", {"name": None})

        assert [(result.to, result.sent) for result in results] == [(ADA, True), (EVE, False), (BOB, True)]
        assert isinstance(results[1].error, EmailRejectedError)
        assert [email.to for email in fake.accepted] == [ADA, BOB]
        assert [bool(result.message_id) for result in results] == [True, False, True]

    async def test_wrong_credentials_do_not_reject_the_address(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.revoke_credentials()
        with capture_logs() as logs, pytest.raises(EmailUnavailableError):
            await send(mailer)

        assert [(line["event"], line["failure"]) for line in logs] == [("email_failed", "deferred")]
        assert fake.accepted == []

    async def test_does_not_log_recipients_or_content(self, mailer: Mailer, fake: FakeProvider) -> None:
        fake.reject(EVE)
        with capture_logs() as logs:
            await send(mailer)
            with pytest.raises(EmailRejectedError):
                await send(mailer, EVE)
            fake.be_busy(3)
            with pytest.raises(EmailUnavailableError):
                await send(mailer)

        assert [line["event"] for line in logs if line["event"].startswith("email")] == [
            "email_sent",
            "email_failed",
            "email_failed",
        ]
        for word in (ADA, EVE, "example.com", "Private", self.provider.secret):
            assert word not in str(logs)

    def test_the_application_does_not_start_without_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.provider.settings:
            with monkeypatch.context() as patch:
                patch.delenv(name)
                with pytest.raises(
                    ConfigurationError, match=f"EMAIL_PROVIDER is {self.provider.name}, which needs {name}"
                ):
                    create_runtime([core, module])

    async def test_the_console_needs_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in self.provider.settings:
            monkeypatch.delenv(name)
        monkeypatch.setenv("EMAIL_PROVIDER", "console")
        runtime = create_runtime([core, module])
        lifespan = module.lifespan
        assert lifespan is not None
        async with lifespan(runtime):
            await send(runtime.resource(Mailer))

            assert [printed.to for printed in runtime.resource(ConsoleEmail).outbox] == [ADA]

    @pytest.mark.parametrize("environment_name", ["staging", "production"])
    def test_is_the_default_outside_local(self, monkeypatch: pytest.MonkeyPatch, environment_name: str) -> None:
        monkeypatch.setenv("EMAIL_PROVIDER", "")
        monkeypatch.setenv("ENVIRONMENT", environment_name)

        assert self.provider.name == EmailSettings().EMAIL_PROVIDER

    def test_the_console_is_refused_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "production")
        monkeypatch.setenv("EMAIL_PROVIDER", "console")
        with pytest.raises(ConfigurationError, match=f"sends no email: set it to {self.provider.name}, or leave it"):
            create_runtime([core, module])

    async def test_a_job_is_retried_until_the_provider_accepts(
        self, sign_in: SignIn, queue: Queue, fake: FakeProvider
    ) -> None:
        fake.be_busy(4)
        await sign_in(email=ADA)
        await queue.drain()

        assert [email.to for email in fake.accepted] == [ADA]

    async def test_a_job_ends_when_the_address_is_rejected(
        self, sign_in: SignIn, queue: Queue, fake: FakeProvider
    ) -> None:
        fake.reject(ADA)
        await sign_in(email=ADA)
        with capture_logs() as logs:
            await queue.drain()

        assert fake.attempts == 1
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["email_rejected"]

    async def test_a_job_that_runs_twice_sends_no_second_email_if_the_provider_supports_it(
        self, sign_in: SignIn, queue: Queue, runtime: Runtime, fake: FakeProvider
    ) -> None:
        await sign_in(email=ADA)
        await queue.drain()
        async with runtime.database.reading() as session:
            user_id = await session.scalar(select(users.c.id))
        await send_welcome_email(runtime, str(user_id))

        ids = {email.id for email in fake.accepted}
        assert len(fake.accepted) == (1 if self.provider.detects_duplicates else 2)
        assert len(ids) == 1 or not self.provider.stable_ids

    async def test_a_job_sends_no_email_to_an_inactive_or_unknown_user(
        self, sign_in: SignIn, queue: Queue, runtime: Runtime, fake: FakeProvider
    ) -> None:
        await sign_in(email=ADA)
        async with runtime.database.transaction() as session:
            await session.execute(update(users).values(is_active=False))
        await queue.drain()
        await send_welcome_email(runtime, str(UUID(int=0)))

        assert fake.attempts == 0
