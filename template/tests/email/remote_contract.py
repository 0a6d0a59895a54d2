"""What every provider that is reached over a network has to do besides."""

from collections.abc import Iterator
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
from app.email.jobs import send_welcome_email
from app.email.module import module
from app.email.port import EmailRejectedError, EmailUnavailableError
from app.email.providers.console import ConsoleEmail
from app.email.service import EmailService
from app.email.settings import EmailSettings
from app.users.models import users
from tests.conftest import SignIn
from tests.email.contract import EmailContract
from tests.email.mailbox import FakeProvider, Mail

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"


async def send(email: EmailService, to: str = ADA, *, key: str | None = None) -> None:
    """Sends a mail like all others."""
    await email.send_raw(to, "Private subject", text="Private words", idempotency_key=key)


class RemoteContract(EmailContract):
    """It tries again what is no second mail, says what it cannot do, and tells nobody what was in the mail."""

    recognises_repetition: ClassVar[bool] = False
    """Whether the provider knows what it has taken before."""
    secret: ClassVar[str]
    """What stands in no log."""
    credentials: ClassVar[str]
    """The setting without which it cannot be selected."""

    @pytest.fixture
    def fake(self) -> FakeProvider:
        """The provider."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def impatience(self) -> Iterator[None]:
        """Nobody waits between two attempts."""
        with stamina.set_testing(True, attempts=3):
            yield

    def arrived(self, runtime: Runtime) -> list[Mail]:
        del runtime
        return self.taken

    @pytest.fixture(autouse=True)
    def _taken(self, fake: FakeProvider) -> None:
        self.taken = fake.mails

    async def test_what_was_not_taken_is_sent_again(self, email: EmailService, fake: FakeProvider) -> None:
        fake.be_busy(2)
        await send(email)

        assert (len(fake.mails), fake.attempts) == (1, 3)

    async def test_a_provider_that_is_busy_for_long_is_said_to_be(
        self, email: EmailService, fake: FakeProvider
    ) -> None:
        fake.be_busy(3)
        with pytest.raises(EmailUnavailableError) as caught:
            await send(email)

        assert (caught.value.status, caught.value.code) == (503, "EMAIL_UNAVAILABLE")
        assert (fake.mails, fake.attempts) == ([], 3)

    async def test_a_provider_that_is_down_is_said_to_be(self, email: EmailService, fake: FakeProvider) -> None:
        fake.stop()

        with pytest.raises(EmailUnavailableError):
            await send(email)
        results = await email.send_bulk([ADA, BOB], "News", "welcome", {"name": None})
        assert [type(result.error) for result in results] == [EmailUnavailableError, EmailUnavailableError]

    async def test_what_may_have_been_taken_makes_no_second_mail(self, email: EmailService, fake: FakeProvider) -> None:
        fake.lose_answers(1)
        if self.recognises_repetition:
            await send(email)
            assert fake.attempts == 2
        else:
            with pytest.raises(EmailUnavailableError):
                await send(email)
            assert fake.attempts == 1

        assert len(fake.mails) == 1

    async def test_the_same_key_makes_no_second_mail_where_the_provider_can_tell(
        self, email: EmailService, fake: FakeProvider
    ) -> None:
        await send(email, key="welcome/1")
        await send(email, key="welcome/1")
        await send(email, key="welcome/2")

        assert len(fake.mails) == (2 if self.recognises_repetition else 3)

    async def test_a_provider_that_keeps_failing_is_left_alone(self, email: EmailService, fake: FakeProvider) -> None:
        fake.be_busy(100)
        for _ in range(4):
            with pytest.raises(EmailUnavailableError):
                await send(email)

        assert fake.attempts == 5

    async def test_an_address_that_is_refused_is_not_tried_again(self, email: EmailService, fake: FakeProvider) -> None:
        fake.refuse(EVE)
        for _ in range(6):
            with pytest.raises(EmailRejectedError) as caught:
                await send(email, EVE)

        assert (caught.value.status, caught.value.code) == (400, "EMAIL_REJECTED")
        assert (fake.mails, fake.attempts) == ([], 6)
        await send(email)

    async def test_one_of_many_that_is_refused_keeps_none_from_theirs(
        self, email: EmailService, fake: FakeProvider
    ) -> None:
        fake.refuse(EVE)
        results = await email.send_bulk([ADA, EVE, BOB], "News", "welcome", {"name": None})

        assert [(result.to, result.sent) for result in results] == [(ADA, True), (EVE, False), (BOB, True)]
        assert isinstance(results[1].error, EmailRejectedError)
        assert [mail.to for mail in fake.mails] == [ADA, BOB]
        assert [bool(result.message_id) for result in results] == [True, False, True]

    async def test_wrong_credentials_are_nobodys_address(self, email: EmailService, fake: FakeProvider) -> None:
        fake.refuse_credentials()
        with capture_logs() as logs, pytest.raises(EmailUnavailableError):
            await send(email)

        assert [(line["event"], line["failure"]) for line in logs] == [("email_failed", "later")]
        assert fake.mails == []

    async def test_no_log_tells_who_is_written_to_or_what(self, email: EmailService, fake: FakeProvider) -> None:
        fake.refuse(EVE)
        with capture_logs() as logs:
            await send(email)
            with pytest.raises(EmailRejectedError):
                await send(email, EVE)
            fake.be_busy(3)
            with pytest.raises(EmailUnavailableError):
                await send(email)

        assert [line["event"] for line in logs if line["event"].startswith("email")] == [
            "email_sent",
            "email_failed",
            "email_failed",
        ]
        for word in (ADA, EVE, "example.com", "Private", self.secret):
            assert word not in str(logs)

    def test_without_credentials_the_application_does_not_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(self.credentials)
        with pytest.raises(
            ConfigurationError, match=f"EMAIL_PROVIDER is {self.provider}, which needs {self.credentials}"
        ):
            create_runtime([core, module])

    async def test_without_credentials_mails_can_be_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv(self.credentials)
        monkeypatch.setenv("EMAIL_PROVIDER", "console")
        runtime = create_runtime([core, module])
        lifespan = module.lifespan
        assert lifespan is not None
        async with lifespan(runtime):
            await send(runtime.resource(EmailService))

            assert [shown.to for shown in runtime.resource(ConsoleEmail).outbox] == [ADA]

    def test_it_is_selected_outside_local_where_nothing_else_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("EMAIL_PROVIDER")
        monkeypatch.setenv("ENVIRONMENT", "production")
        monkeypatch.setenv("EMAIL_FROM_ADDRESS", "hello@mail.test")

        assert self.provider == EmailSettings().EMAIL_PROVIDER

    async def test_a_job_is_tried_again_until_the_provider_is_back(
        self, sign_in: SignIn, queue: Queue, fake: FakeProvider
    ) -> None:
        fake.be_busy(4)
        await sign_in(email=ADA)
        await queue.drain()

        assert [mail.to for mail in fake.mails] == [ADA]

    async def test_a_job_gives_up_on_an_address_that_is_refused(
        self, sign_in: SignIn, queue: Queue, fake: FakeProvider
    ) -> None:
        fake.refuse(ADA)
        await sign_in(email=ADA)
        with capture_logs() as logs:
            await queue.drain()

        assert fake.attempts == 1
        assert [line["event"] for line in logs if line["log_level"] == "error"] == ["email_rejected"]

    async def test_a_job_that_runs_twice_makes_no_second_mail_where_the_provider_can_tell(
        self, sign_in: SignIn, queue: Queue, runtime: Runtime, fake: FakeProvider
    ) -> None:
        await sign_in(email=ADA)
        await queue.drain()
        async with runtime.database.reading() as session:
            user_id = await session.scalar(select(users.c.id))
        await send_welcome_email(runtime, str(user_id))

        ids = {mail.id for mail in fake.mails}
        assert len(fake.mails) == (1 if self.recognises_repetition else 2)
        assert len(ids) == 1 or not self.repeats_ids

    repeats_ids: ClassVar[bool] = False
    """Whether a second mail has the same id as the first, so that its reader may recognise it."""

    async def test_a_job_writes_to_nobody_who_is_gone(
        self, sign_in: SignIn, queue: Queue, runtime: Runtime, fake: FakeProvider
    ) -> None:
        await sign_in(email=ADA)
        async with runtime.database.transaction() as session:
            await session.execute(update(users).values(is_active=False))
        await queue.drain()
        await send_welcome_email(runtime, str(UUID(int=0)))

        assert fake.attempts == 0
