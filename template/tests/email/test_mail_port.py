"""The core's port for emails, with the mailer behind it."""

import pytest

from app.core.ports.mail import Mail, MailRejectedError
from app.core.runtime import Runtime
from app.email.providers.console import ConsoleEmail


def welcome(to: str) -> Mail:
    data = {"name": None, "has_account": False}
    return Mail(to=to, subject="Welcome", template="welcome", data=data, reply_to="help@example.com", key="welcome/1")


async def test_sends_with_the_selected_provider(runtime: Runtime) -> None:
    assert runtime.mail.is_available
    await runtime.mail.send(welcome("ada@example.com"))
    (printed,) = runtime.resource(ConsoleEmail).outbox
    assert (printed.message.subject, printed.message.reply_to) == ("Welcome", "help@example.com")


async def test_a_rejected_email_is_the_ports_error_without_the_address(runtime: Runtime) -> None:
    with pytest.raises(MailRejectedError) as raised:
        await runtime.mail.send(welcome("zoë@example.com"))
    assert str(raised.value) == "INVALID_ADDRESS"
