"""What every provider has to do. A provider's tests inherit from the class."""

from abc import ABC, abstractmethod
from typing import ClassVar

import pytest

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.email.addresses import InvalidAddressError
from app.email.port import EmailRejectedError
from app.email.service import EmailService
from tests.conftest import SignIn
from tests.email.mailbox import Mail
from tests.email.test_addresses import NO_ADDRESSES

TEXT = "Hällo,\n.\n.leading dots\n..two\nFrom here on\n" + "a long line " * 100 + "\n"
HTML = "<p>Hällo &amp; <b>welcome</b></p>\n"
SUBJECT = "Grüße, “Ada” \N{PARTY POPPER} and a subject that does not fit on one line of seventy-eight characters"
BREAKS = ["\n", "\r", "\r\n", "\0", "\N{LINE SEPARATOR}", "\x0b", "\N{NEXT LINE}"]


@pytest.mark.usefixtures("configured")
class EmailContract(ABC):
    """It carries mail away, to each by themselves, and lets nobody write its headers."""

    provider: ClassVar[str]
    many: ClassVar[int] = 205

    @pytest.fixture
    def provider_settings(self) -> dict[str, str]:
        """The settings that select the provider."""
        raise NotImplementedError

    @pytest.fixture
    def configured(
        self,
        environment: None,  # noqa: ARG002 - the order matters
        monkeypatch: pytest.MonkeyPatch,
        provider_settings: dict[str, str],
    ) -> None:
        """Selects the provider. `usefixtures` has it done before there is an application."""
        settings = {"EMAIL_FROM_ADDRESS": "hello@mail.test", "EMAIL_FROM_NAME": "Grüße, Inc."} | provider_settings
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    @abstractmethod
    def arrived(self, runtime: Runtime) -> list[Mail]:
        """All that the provider has taken."""

    async def test_sends_a_mail(self, email: EmailService, runtime: Runtime) -> None:
        result = await email.send_raw("ada@example.com", SUBJECT, text=TEXT, html=HTML, reply_to="eve@example.com")

        (mail,) = self.arrived(runtime)
        assert (mail.to, mail.sender) == ("ada@example.com", '"Grüße, Inc." <hello@mail.test>')
        assert (mail.subject, mail.reply_to) == (SUBJECT, "eve@example.com")
        assert (mail.text.splitlines(), mail.html) == (TEXT.splitlines(), HTML)
        assert (result.to, result.provider, result.sent) == ("ada@example.com", self.provider, True)
        assert result.message_id
        assert mail.id in {None, result.message_id}

    async def test_sends_plain_text_alone(self, email: EmailService, runtime: Runtime) -> None:
        await email.send_raw("ada@example.com", "Hello", text="Only this.")

        (mail,) = self.arrived(runtime)
        assert (mail.text.strip(), mail.html, mail.reply_to) == ("Only this.", None, None)

    async def test_sends_a_template_in_both_forms(self, email: EmailService, runtime: Runtime) -> None:
        await email.send("ada@example.com", "Welcome", "welcome", {"name": "<b>Ada</b>"})

        (mail,) = self.arrived(runtime)
        assert mail.html is not None
        assert "&lt;b&gt;Ada&lt;/b&gt;" in mail.html
        assert "<b>Ada" not in mail.html
        assert "Hello <b>Ada</b>," in mail.text

    async def test_a_domain_in_another_alphabet_is_written_as_it_is_sent(
        self, email: EmailService, runtime: Runtime
    ) -> None:
        result = await email.send_raw("ada@müller.example", "Hello", text="Hello")

        assert result.to == "ada@müller.example"
        assert [mail.to for mail in self.arrived(runtime)] == ["ada@xn--mller-kva.example"]

    async def test_many_get_a_mail_of_their_own(self, email: EmailService, runtime: Runtime) -> None:
        to = [f"user{number}@example.com" for number in range(self.many)]
        results = await email.send_bulk([*to, to[0]], "News", "welcome", {"name": None})

        assert [result.to for result in results] == to
        assert all(result.sent and result.message_id for result in results)
        mails = self.arrived(runtime)
        assert [mail.to for mail in mails] == to
        assert {mail.subject for mail in mails} == {"News"}

    async def test_one_of_many_that_is_no_address_keeps_none_from_theirs(
        self, email: EmailService, runtime: Runtime
    ) -> None:
        results = await email.send_bulk(["ada@example.com", "eve", "bob@example.com"], "News", "welcome", {"name": ""})

        assert [result.sent for result in results] == [True, False, True]
        assert isinstance(results[1].error, InvalidAddressError)
        assert [mail.to for mail in self.arrived(runtime)] == ["ada@example.com", "bob@example.com"]

    async def test_nobody_is_written_to_when_nobody_is_named(self, email: EmailService, runtime: Runtime) -> None:
        assert await email.send_bulk([], "News", "welcome", {"name": None}) == []
        assert self.arrived(runtime) == []

    async def test_what_is_no_address_is_refused(self, email: EmailService, runtime: Runtime) -> None:
        for address in NO_ADDRESSES:
            with pytest.raises(InvalidAddressError):
                await email.send_raw(address, "Hello", text="Hello")
            with pytest.raises(InvalidAddressError):
                await email.send_raw("ada@example.com", "Hello", text="Hello", reply_to=address)

        assert self.arrived(runtime) == []

    async def test_a_subject_adds_no_header(self, email: EmailService, runtime: Runtime) -> None:
        for subject in (*(f"Hello{line_break}Bcc: eve@example.com" for line_break in BREAKS), "", " ", "x" * 501):
            with pytest.raises(EmailRejectedError):
                await email.send_raw("ada@example.com", subject, text="Hello")
            with pytest.raises(EmailRejectedError):
                await email.send_bulk(["ada@example.com"], subject, "welcome", {"name": None})

        assert self.arrived(runtime) == []

    async def test_what_is_no_idempotency_key_is_refused(self, email: EmailService, runtime: Runtime) -> None:
        for key in ("with space", "with\nbreak", "ä", "x" * 201):
            with pytest.raises(ValueError, match="idempotency key"):
                await email.send_raw("ada@example.com", "Hello", text="Hello", idempotency_key=key)

        assert self.arrived(runtime) == []

    async def test_who_is_new_is_greeted_after_the_commit(
        self, sign_in: SignIn, queue: Queue, runtime: Runtime
    ) -> None:
        await sign_in(email="ada@example.com")
        assert self.arrived(runtime) == []

        await queue.drain()
        await sign_in(email="ada@example.com")
        await queue.drain()

        (mail,) = self.arrived(runtime)
        assert (mail.to, mail.subject) == ("ada@example.com", "Welcome to Test")
