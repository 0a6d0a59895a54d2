"""The contract of all providers. A provider's test class inherits from `EmailContract`."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import pytest

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.email.errors import EmailRejectedError, InvalidAddressError, InvalidAttachmentError
from app.email.mailer import Mailer
from app.email.port import Attachment
from app.email.validation import MAX_ATTACHMENTS, MAX_ATTACHMENTS_SIZE, MAX_BODY_SIZE
from tests.conftest import SignIn
from tests.email.fake_provider import ReceivedEmail
from tests.email.test_validation import INVALID_ADDRESSES

TEXT = "Hällo,\n.\n.leading dots\n..two\nFrom here on\n" + "a long line " * 100 + "\n"
HTML = "<p>Hällo &amp; <b>welcome</b></p>\n"
SUBJECT = "Grüße, “Ada” \N{PARTY POPPER} and a subject that does not fit on one line of seventy-eight characters"
LINE_BREAKS = ["\n", "\r", "\r\n", "\0", "\N{LINE SEPARATOR}", "\x0b", "\N{NEXT LINE}"]
ATTACHMENTS = (
    Attachment(filename="invoice-7.pdf", content=b"%PDF\r\n" + bytes(range(256)), content_type="application/pdf"),
    Attachment(filename="Übersicht 2026.csv", content="naïve;1\r\n".encode(), content_type="text/csv"),
)


@dataclass(frozen=True, kw_only=True)
class Provider:
    """The description of a provider for the contract.

    Attributes:
        name: the value of EMAIL_PROVIDER.
        many: the number of recipients in the tests of bulk emails; more than one batch, if there are batches.
    """

    name: str
    many: int = 205


@pytest.mark.usefixtures("configured")
class EmailContract(ABC):
    """A provider sends a separate email to each recipient, and lets no input add a header."""

    provider: ClassVar[Provider]

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
        """Select the provider. With `usefixtures`, this happens before the application is created."""
        settings = {"EMAIL_FROM_ADDRESS": "hello@mail.test", "EMAIL_FROM_NAME": "Grüße, Inc."} | provider_settings
        for name, value in settings.items():
            monkeypatch.setenv(name, value)

    @abstractmethod
    def received(self, runtime: Runtime) -> list[ReceivedEmail]:
        """Return the emails that the provider has accepted."""

    async def test_sends_an_email(self, mailer: Mailer, runtime: Runtime) -> None:
        result = await mailer.send_raw("ada@example.com", SUBJECT, text=TEXT, html=HTML, reply_to="eve@example.com")

        (email,) = self.received(runtime)
        assert (email.to, email.sender) == ("ada@example.com", '"Grüße, Inc." <hello@mail.test>')
        assert (email.subject, email.reply_to) == (SUBJECT, "eve@example.com")
        assert (email.text.splitlines(), email.html) == (TEXT.splitlines(), HTML)
        assert (result.to, result.provider, result.sent) == ("ada@example.com", self.provider.name, True)
        assert result.message_id
        assert email.id in {None, result.message_id}

    async def test_sends_plain_text_without_html(self, mailer: Mailer, runtime: Runtime) -> None:
        await mailer.send_raw("ada@example.com", "Hello", text="Only this.")

        (email,) = self.received(runtime)
        assert (email.text.strip(), email.html, email.reply_to) == ("Only this.", None, None)
        assert email.attachments == ()

    async def test_sends_a_template_in_both_forms(self, mailer: Mailer, runtime: Runtime) -> None:
        await mailer.send("ada@example.com", "Welcome", "welcome", {"name": "<b>Ada</b>"})

        (email,) = self.received(runtime)
        assert email.html is not None
        assert "&lt;b&gt;Ada&lt;/b&gt;" in email.html
        assert "<b>Ada" not in email.html
        assert "Hello <b>Ada</b>," in email.text

    async def test_sends_attachments(self, mailer: Mailer, runtime: Runtime) -> None:
        await mailer.send("ada@example.com", "Invoice", "welcome", {"name": "Ada"}, attachments=ATTACHMENTS)
        await mailer.send_raw("ada@example.com", "Invoice", text="Attached.", attachments=ATTACHMENTS[:1])

        first, second = self.received(runtime)
        assert (first.attachments, second.attachments) == (ATTACHMENTS, ATTACHMENTS[:1])
        assert first.html is not None
        assert second.text.strip() == "Attached."

    async def test_sends_attachments_to_each_of_many(self, mailer: Mailer, runtime: Runtime) -> None:
        to = ["ada@example.com", "bob@example.com", "eve@example.com"]
        results = await mailer.send_bulk(to, "Invoice", "welcome", {"name": None}, attachments=ATTACHMENTS)

        assert all(result.sent and result.message_id for result in results)
        emails = self.received(runtime)
        assert [(email.to, email.attachments) for email in emails] == [(address, ATTACHMENTS) for address in to]

    async def test_rejects_attachments_that_are_too_large_or_too_many(self, mailer: Mailer, runtime: Runtime) -> None:
        half = Attachment(filename="a.bin", content=bytes(MAX_ATTACHMENTS_SIZE // 2 + 1))
        small = Attachment(filename="a.bin", content=b"a")
        for attachments in ([half, half], [small] * (MAX_ATTACHMENTS + 1)):
            with pytest.raises(InvalidAttachmentError, match="at most"):
                await mailer.send_raw("ada@example.com", "Hello", text="Hello", attachments=attachments)
            with pytest.raises(InvalidAttachmentError, match="at most"):
                await mailer.send("ada@example.com", "Hello", "no template is read", attachments=attachments)
            with pytest.raises(InvalidAttachmentError, match="at most"):
                await mailer.send_bulk(["ada@example.com"], "Hello", "no template is read", attachments=attachments)

        assert self.received(runtime) == []

    async def test_encodes_an_internationalised_domain(self, mailer: Mailer, runtime: Runtime) -> None:
        result = await mailer.send_raw("ada@müller.example", "Hello", text="Hello")

        assert result.to == "ada@müller.example"
        assert [email.to for email in self.received(runtime)] == ["ada@xn--mller-kva.example"]

    async def test_sends_each_of_many_recipients_a_separate_email(self, mailer: Mailer, runtime: Runtime) -> None:
        to = [f"user{number}@example.com" for number in range(self.provider.many)]
        results = await mailer.send_bulk([*to, to[0]], "News", "welcome", {"name": None})

        assert [result.to for result in results] == to
        assert all(result.sent and result.message_id for result in results)
        emails = self.received(runtime)
        assert [email.to for email in emails] == to
        assert {email.subject for email in emails} == {"News"}

    async def test_one_invalid_address_does_not_affect_the_others(self, mailer: Mailer, runtime: Runtime) -> None:
        to = ["ada@example.com", "eve", "bob@example.com"]
        results = await mailer.send_bulk(to, "News", "welcome", {"name": ""})

        assert [result.sent for result in results] == [True, False, True]
        assert isinstance(results[1].error, InvalidAddressError)
        assert [email.to for email in self.received(runtime)] == ["ada@example.com", "bob@example.com"]

    async def test_sends_nothing_without_recipients(self, mailer: Mailer, runtime: Runtime) -> None:
        assert await mailer.send_bulk([], "News", "welcome", {"name": None}) == []
        assert self.received(runtime) == []

    async def test_rejects_an_invalid_address(self, mailer: Mailer, runtime: Runtime) -> None:
        for address in INVALID_ADDRESSES:
            with pytest.raises(InvalidAddressError):
                await mailer.send_raw(address, "Hello", text="Hello")
            with pytest.raises(InvalidAddressError):
                await mailer.send_raw("ada@example.com", "Hello", text="Hello", reply_to=address)

        assert self.received(runtime) == []

    async def test_a_subject_cannot_add_a_header(self, mailer: Mailer, runtime: Runtime) -> None:
        for subject in (*(f"Hello{line_break}Bcc: eve@example.com" for line_break in LINE_BREAKS), "", " ", "x" * 501):
            with pytest.raises(EmailRejectedError):
                await mailer.send_raw("ada@example.com", subject, text="Hello")
            with pytest.raises(EmailRejectedError):
                await mailer.send_bulk(["ada@example.com"], subject, "welcome", {"name": None})

        assert self.received(runtime) == []

    async def test_rejects_a_body_that_is_too_large_or_has_no_encoding(self, mailer: Mailer, runtime: Runtime) -> None:
        half = "x" * (MAX_BODY_SIZE // 2 + 1)
        for text, html in ((half, half), ("ä" * (MAX_BODY_SIZE // 2 + 1), None), ("\ud800", None), ("a", "\udfff")):
            with pytest.raises(EmailRejectedError, match=r"bytes together|lone surrogates"):
                await mailer.send_raw("ada@example.com", "Hello", text=text, html=html)

        assert self.received(runtime) == []

    async def test_an_attachment_cannot_add_a_header(self, mailer: Mailer, runtime: Runtime) -> None:
        for line_break in LINE_BREAKS:
            for attachment in (
                Attachment(filename=f"a{line_break}Bcc: eve@example.com.pdf", content=b"a"),
                Attachment(filename="a.pdf", content=b"a", content_type=f"text/plain{line_break}Bcc: eve@example.com"),
            ):
                with pytest.raises(InvalidAttachmentError):
                    await mailer.send_raw("ada@example.com", "Hello", text="Hello", attachments=[attachment])

        assert self.received(runtime) == []

    async def test_rejects_an_invalid_idempotency_key(self, mailer: Mailer, runtime: Runtime) -> None:
        for key in ("", "with space", "with\nbreak", "ä", "x" * 201):
            with pytest.raises(ValueError, match="idempotency key"):
                await mailer.send_raw("ada@example.com", "Hello", text="Hello", idempotency_key=key)

        assert self.received(runtime) == []

    async def test_welcomes_a_new_user_after_the_commit(self, sign_in: SignIn, queue: Queue, runtime: Runtime) -> None:
        await sign_in(email="ada@example.com")
        assert self.received(runtime) == []

        await queue.drain()
        await sign_in(email="ada@example.com")
        await queue.drain()

        (email,) = self.received(runtime)
        assert (email.to, email.subject) == ("ada@example.com", "Welcome to Test")
