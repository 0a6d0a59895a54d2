"""The console provider and the module's settings."""

from types import SimpleNamespace
from typing import cast

import pytest
from structlog.testing import capture_logs

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.core.runtime import Runtime
from app.email.mailer import Mailer
from app.email.module import module
from app.email.port import Message, Sender
from app.email.providers.console import OUTBOX_SIZE, ConsoleEmail, provider
from app.email.settings import EmailSettings
from tests.email.contract import ATTACHMENTS, EmailContract, Provider
from tests.email.fake_provider import ReceivedEmail

MESSAGE = Message(sender=Sender(address="hello@mail.test", name="Hello"), subject="Secret subject", text="Secret words")


class TestConsole(EmailContract):
    provider = Provider(name="console")

    @pytest.fixture
    def provider_settings(self) -> dict[str, str]:
        return {"EMAIL_PROVIDER": "console"}

    def received(self, runtime: Runtime) -> list[ReceivedEmail]:
        return [
            ReceivedEmail(
                to=printed.to,
                sender=printed.message.sender.mailbox,
                subject=printed.message.subject,
                text=printed.message.text,
                html=printed.message.html,
                reply_to=printed.message.reply_to,
                id=None,
                attachments=printed.message.attachments,
            )
            for printed in runtime.resource(ConsoleEmail).outbox
        ]

    async def test_prints_the_email(self, mailer: Mailer, capsys: pytest.CaptureFixture[str]) -> None:
        await mailer.send(
            "ada@example.com",
            "Welcome",
            "welcome",
            {"name": "Ada"},
            reply_to="eve@example.com",
            attachments=ATTACHMENTS[:1],
        )

        output = capsys.readouterr().out
        for words in (
            "To:      ada@example.com",
            "Reply-To: eve@example.com",
            "Subject: Welcome",
            "Hello Ada,",
            "Attached: invoice-7.pdf (application/pdf, 262 bytes)",
        ):
            assert words in output


class TestOutsideLocal:
    async def test_logs_a_warning_without_content(self, capsys: pytest.CaptureFixture[str]) -> None:
        console = ConsoleEmail(local=False)
        with capture_logs() as logs:
            (result,) = await console.send(MESSAGE, ["ada@example.com"], key="1")

        assert result.sent
        assert [line["event"] for line in logs] == ["email_not_sent"]
        assert capsys.readouterr().out == ""
        assert not console.outbox
        for word in ("ada@", "Secret"):
            assert word not in str(logs)

    async def test_keeps_only_the_latest_emails(self) -> None:
        console = ConsoleEmail(local=True)
        await console.send(MESSAGE, [f"user{number}@example.com" for number in range(OUTBOX_SIZE + 5)], key="1")

        assert len(console.outbox) == OUTBOX_SIZE


class TestSettings:
    def test_the_provider_must_be_part_of_the_project(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMAIL_PROVIDER", "pigeons")
        with pytest.raises(ConfigurationError, match=r"EMAIL_PROVIDER .* part of this project"):
            create_runtime([core, module])

    def test_the_console_is_refused_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "production")
        monkeypatch.setenv("EMAIL_PROVIDER", "console")
        with pytest.raises(ConfigurationError, match="EMAIL_PROVIDER is console, which sends no email"):
            create_runtime([core, module])

    async def test_the_console_is_allowed_in_staging_with_a_warning(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        monkeypatch.setenv("EMAIL_PROVIDER", "console")
        assert EmailSettings().EMAIL_PROVIDER == "console"

        runtime = SimpleNamespace(settings=SimpleNamespace(is_local=False), provide=lambda *_: None)
        with capture_logs() as logs:
            async with provider.open(cast("Runtime", runtime)):
                pass
        assert [(line["event"], line["log_level"]) for line in logs] == [("email_is_console", "warning")]

    def test_the_console_is_the_default_in_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMAIL_PROVIDER", "")
        assert EmailSettings().EMAIL_PROVIDER == "console"

    @pytest.mark.parametrize("address", ["hello", "hello@mail.test\nBcc: eve@example.com", "Hello <hello@mail.test>"])
    def test_the_sender_must_be_an_address(self, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        monkeypatch.setenv("EMAIL_FROM_ADDRESS", address)
        with pytest.raises(ConfigurationError, match="EMAIL_FROM_ADDRESS must be an address"):
            create_runtime([core, module])

    @pytest.mark.parametrize("name", ["EMAIL_FROM_NAME", "PROJECT_NAME"])
    def test_the_sender_name_cannot_add_a_header(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "Hello\nBcc: eve@example.com")
        with pytest.raises(ConfigurationError, match=f"{name} .* one line"):
            create_runtime([core, module])

    def test_the_sender_name_defaults_to_the_project(self, mailer: Mailer, runtime: Runtime) -> None:
        assert mailer.sender == Sender(address="hello@example.com", name=runtime.settings.PROJECT_NAME)
