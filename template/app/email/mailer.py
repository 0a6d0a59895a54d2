"""The mailer: validates emails and hands them to the selected provider."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import structlog
from uuid_utils.compat import uuid7

from app.core.ports.operations import EmailDelivery
from app.core.ports.telemetry import Telemetry
from app.core.runtime import Runtime
from app.email.errors import InvalidAddressError
from app.email.port import Attachment, EmailProvider, EmailResult, Message, Sender
from app.email.rendering import Templates
from app.email.validation import check_address, check_attachments, check_body, check_idempotency_key, check_line

logger = structlog.stdlib.get_logger(__name__)


class Mailer:
    """The sender of emails. Get it with `get_mailer(runtime)`, or in a route as `mailer: MailerDep`.

    A provider may be slow: don't hold a database connection during a call, or enqueue a job of `app.email.jobs`.
    """

    def __init__(
        self, provider: EmailProvider, templates: Templates, sender: Sender, telemetry: Telemetry | None = None
    ) -> None:
        self._provider = provider
        self._telemetry = telemetry or Telemetry()
        self._templates = templates
        self.sender = sender

    async def send(
        self,
        to: str,
        subject: str,
        template: str,
        data: Mapping[str, object] | None = None,
        *,
        reply_to: str | None = None,
        attachments: Sequence[Attachment] = (),
        idempotency_key: str | None = None,
    ) -> EmailResult:
        """Send a template to one address.

        Args:
            data: the template's variables. With `has_account` set, the footer says that the recipient has an account.
            reply_to: the address for replies, if it differs from the sender.
            idempotency_key: derived from stable facts, such as `welcome/<user id>`: sending again with the same key and
                content sends no second email, if the provider supports it.

        Raises:
            InvalidAddressError: `to` or `reply_to` is not an email address.
            InvalidAttachmentError: an attachment is too large, or its name or type is not allowed.
            EmailRejectedError: the subject is not a single line, the body is too large, or the provider rejects the
                email permanently.
            EmailUnavailableError: the provider does not accept the email now.
        """
        address, checked = check_address(to), check_attachments(attachments)
        rendered = self._templates.render(template, data or {}, subject=check_line(subject, "The subject"))
        message = self._message(subject, rendered.text, rendered.html, reply_to, checked)
        return await self._send_one(message, to, address, idempotency_key)

    async def send_raw(
        self,
        to: str,
        subject: str,
        *,
        text: str,
        html: str | None = None,
        reply_to: str | None = None,
        attachments: Sequence[Attachment] = (),
        idempotency_key: str | None = None,
    ) -> EmailResult:
        """Send an email without a template to one address. The caller escapes the data in `html`.

        Raises:
            InvalidAddressError, InvalidAttachmentError, EmailRejectedError, EmailUnavailableError: as in `send`.
        """
        address = check_address(to)
        message = self._message(subject, text, html, reply_to, check_attachments(attachments))
        return await self._send_one(message, to, address, idempotency_key)

    async def send_bulk(
        self,
        to: Sequence[str],
        subject: str,
        template: str,
        data: Mapping[str, object] | None = None,
        *,
        reply_to: str | None = None,
        attachments: Sequence[Attachment] = (),
        idempotency_key: str | None = None,
    ) -> list[EmailResult]:
        """Send a template to many addresses, as a separate email to each.

        Returns:
            One result per distinct address, in the same order. The failure of one address is part of its result.

        Raises:
            InvalidAttachmentError: an attachment is too large, or its name or type is not allowed.
            EmailRejectedError: the subject is not a single line, the body is too large, or `reply_to` is not an email
                address.
        """
        checked = check_attachments(attachments)
        rendered = self._templates.render(template, data or {}, subject=check_line(subject, "The subject"))
        message = self._message(subject, rendered.text, rendered.html, reply_to, checked)
        valid: dict[str, str] = {}
        results: dict[str, EmailResult] = {}
        for address in dict.fromkeys(to):
            try:
                valid[address] = check_address(address)
            except InvalidAddressError as error:
                results[address] = EmailResult(to=address, provider="", error=error)
        if valid:
            results |= {result.to: result for result in await self._deliver(message, valid, idempotency_key)}
        return [results[address] for address in dict.fromkeys(to)]

    def _message(
        self, subject: str, text: str, html: str | None, reply_to: str | None, attachments: tuple[Attachment, ...]
    ) -> Message:
        check_body(text, html)
        return Message(
            sender=self.sender,
            subject=check_line(subject, "The subject"),
            text=text,
            html=html,
            reply_to=None if reply_to is None else check_address(reply_to),
            attachments=attachments,
        )

    async def _send_one(self, message: Message, to: str, address: str, key: str | None) -> EmailResult:
        (result,) = await self._deliver(message, {to: address}, key)
        if result.error is not None:
            raise result.error
        return result

    async def _deliver(self, message: Message, to: Mapping[str, str], key: str | None) -> list[EmailResult]:
        """Hand the message to the provider. `to` maps each address as given to its form on the wire."""
        addresses = tuple(dict.fromkeys(to.values()))
        idempotency_key = check_idempotency_key(str(uuid7()) if key is None else key)
        delivery = EmailDelivery()
        with self._telemetry.observe(delivery):
            outcomes = await self._provider.send(message, addresses, key=idempotency_key)
            delivery.provider = outcomes[0].provider
            delivery.sent = sum(outcome.sent for outcome in outcomes)
            delivery.failed = len(outcomes) - delivery.sent
        by_address = dict(zip(addresses, outcomes, strict=True))
        results = [replace(by_address[address], to=given) for given, address in to.items()]
        sent = [result for result in results if result.sent]
        if sent:
            logger.info("email_sent", provider=sent[0].provider, message_id=sent[0].message_id, count=len(sent))
        return results


def get_mailer(runtime: Runtime) -> Mailer:
    """Return the mailer of a running application."""
    return runtime.resource(Mailer)
