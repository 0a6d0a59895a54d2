"""Mail that goes nowhere."""

import pytest
from structlog.testing import capture_logs

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.core.runtime import Runtime
from app.email.module import module
from app.email.port import Message, Sender
from app.email.providers.console import KEPT, ConsoleEmail
from app.email.service import EmailService
from app.email.settings import EmailSettings
from tests.email.contract import EmailContract
from tests.email.mailbox import Mail

MESSAGE = Message(sender=Sender(address="hello@mail.test", name="Hello"), subject="Secret subject", text="Secret words")


class TestConsole(EmailContract):
    provider = "console"

    @pytest.fixture
    def provider_settings(self) -> dict[str, str]:
        return {"EMAIL_PROVIDER": "console"}

    def arrived(self, runtime: Runtime) -> list[Mail]:
        return [
            Mail(
                to=shown.to,
                sender=shown.message.sender.mailbox,
                subject=shown.message.subject,
                text=shown.message.text,
                html=shown.message.html,
                reply_to=shown.message.reply_to,
                id=None,
            )
            for shown in runtime.resource(ConsoleEmail).outbox
        ]

    async def test_a_developer_sees_the_mail(self, email: EmailService, capsys: pytest.CaptureFixture[str]) -> None:
        await email.send("ada@example.com", "Welcome", "welcome", {"name": "Ada"}, reply_to="eve@example.com")

        shown = capsys.readouterr().out
        for words in ("To:      ada@example.com", "Reply-To: eve@example.com", "Subject: Welcome", "Hello Ada,"):
            assert words in shown


class TestElsewhere:
    async def test_a_log_gets_nothing_of_the_mail(self, capsys: pytest.CaptureFixture[str]) -> None:
        console = ConsoleEmail(local=False)
        with capture_logs() as logs:
            (result,) = await console.send(MESSAGE, ["ada@example.com"], key="1")

        assert result.sent
        assert [line["event"] for line in logs] == ["email_not_sent"]
        assert capsys.readouterr().out == ""
        assert not console.outbox
        for word in ("ada@", "Secret"):
            assert word not in str(logs)

    async def test_only_the_last_mails_are_kept(self) -> None:
        console = ConsoleEmail(local=True)
        await console.send(MESSAGE, [f"user{number}@example.com" for number in range(KEPT + 5)], key="1")

        assert len(console.outbox) == KEPT


class TestSettings:
    def test_another_provider_is_not_part_of_the_project(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EMAIL_PROVIDER", "pigeons")
        with pytest.raises(ConfigurationError, match="EMAIL_PROVIDER has to be"):
            create_runtime([core, module])

    def test_unset_it_is_console_in_local(self) -> None:
        assert EmailSettings().EMAIL_PROVIDER == "console"

    @pytest.mark.parametrize("address", ["hello", "hello@mail.test\nBcc: eve@example.com", "Hello <hello@mail.test>"])
    def test_mails_are_from_an_address(self, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
        monkeypatch.setenv("EMAIL_FROM_ADDRESS", address)
        with pytest.raises(ConfigurationError, match="EMAIL_FROM_ADDRESS has to be an address"):
            create_runtime([core, module])

    @pytest.mark.parametrize("name", ["EMAIL_FROM_NAME", "PROJECT_NAME"])
    def test_the_senders_name_adds_no_header(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "Hello\nBcc: eve@example.com")
        with pytest.raises(ConfigurationError, match=f"{name} has to be one line"):
            create_runtime([core, module])

    def test_without_a_name_of_its_own_mail_is_from_the_product(self, email: EmailService, runtime: Runtime) -> None:
        assert email.sender == Sender(address="hello@example.com", name=runtime.settings.PROJECT_NAME)
