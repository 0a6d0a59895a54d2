"""The mail that the rest of the application sends: the selected provider, given only what is harmless."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Final

import structlog
from fastapi import Depends
from uuid_utils.compat import uuid7

from app.core.http.dependencies import RuntimeDep
from app.core.runtime import Runtime
from app.email.addresses import InvalidAddressError, check_address, check_line
from app.email.port import EmailProvider, EmailResult, Message, Sender
from app.email.rendering import Templates

logger = structlog.stdlib.get_logger(__name__)

MAX_KEY: Final = 200


class EmailService:
    """Read it with `get_email_service(runtime)`, or in a route as `email: EmailDep`.

    A provider may be slow: hold no database connection meanwhile, or queue one of the jobs in `app.email.jobs`.
    """

    def __init__(self, provider: EmailProvider, templates: Templates, sender: Sender) -> None:
        self._provider = provider
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
        idempotency_key: str | None = None,
    ) -> EmailResult:
        """Sends a template to one address.

        Args:
            data: what the template asks for.
            reply_to: where answers go, if not to the sender.
            idempotency_key: made from stable facts, such as `welcome/<user id>`: a second sending with the same key and
                content is no second mail, where the provider can tell.

        Raises:
            InvalidAddressError: `to` or `reply_to` is no address.
            EmailRejectedError: the subject is not one line, or the provider refuses the mail for good.
            EmailUnavailableError: the provider does not take it now.
        """
        rendered = self._templates.render(template, data or {}, subject=subject)
        return await self.send_raw(
            to, subject, text=rendered.text, html=rendered.html, reply_to=reply_to, idempotency_key=idempotency_key
        )

    async def send_raw(
        self,
        to: str,
        subject: str,
        *,
        text: str,
        html: str | None = None,
        reply_to: str | None = None,
        idempotency_key: str | None = None,
    ) -> EmailResult:
        """Sends to one address what needs no template. Whoever makes `html` escapes what is in it.

        Raises:
            InvalidAddressError, EmailRejectedError, EmailUnavailableError: as `send`.
        """
        message = self._message(subject, text, html, reply_to)
        (result,) = await self._deliver(message, {to: check_address(to)}, idempotency_key)
        if result.error is not None:
            raise result.error
        return result

    async def send_bulk(
        self,
        to: Sequence[str],
        subject: str,
        template: str,
        data: Mapping[str, object] | None = None,
        *,
        reply_to: str | None = None,
        idempotency_key: str | None = None,
    ) -> list[EmailResult]:
        """Sends a template to many addresses, each of whom gets a mail of their own.

        Returns:
            One result for each different address, in their order. What goes wrong with one is told there.

        Raises:
            EmailRejectedError: the subject is not one line, or `reply_to` no address.
        """
        rendered = self._templates.render(template, data or {}, subject=subject)
        message = self._message(subject, rendered.text, rendered.html, reply_to)
        good: dict[str, str] = {}
        results: dict[str, EmailResult] = {}
        for address in dict.fromkeys(to):
            try:
                good[address] = check_address(address)
            except InvalidAddressError as error:
                results[address] = EmailResult(to=address, provider="", error=error)
        if good:
            results |= {result.to: result for result in await self._deliver(message, good, idempotency_key)}
        return [results[address] for address in dict.fromkeys(to)]

    def _message(self, subject: str, text: str, html: str | None, reply_to: str | None) -> Message:
        return Message(
            sender=self.sender,
            subject=check_line(subject, "A subject"),
            text=text,
            html=html,
            reply_to=None if reply_to is None else check_address(reply_to),
        )

    async def _deliver(self, message: Message, to: Mapping[str, str], key: str | None) -> list[EmailResult]:
        """Hands the mail over; `to` maps the addresses as they were given to what goes over the wire."""
        wired = tuple(dict.fromkeys(to.values()))
        told = await self._provider.send(message, wired, key=_check_key(key or str(uuid7())))
        by_address = dict(zip(wired, told, strict=True))
        results = [replace(by_address[address], to=given) for given, address in to.items()]
        sent = [result for result in results if result.sent]
        if sent:
            logger.info("email_sent", provider=sent[0].provider, message_id=sent[0].message_id, count=len(sent))
        return results


def get_email_service(runtime: Runtime) -> EmailService:
    """The mail service, of a running application."""
    return runtime.resource(EmailService)


async def _email_service(runtime: RuntimeDep) -> EmailService:
    return get_email_service(runtime)


EmailDep = Annotated[EmailService, Depends(_email_service)]


def _check_key(key: str) -> str:
    if len(key) > MAX_KEY or not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError(f"An idempotency key has 1 to {MAX_KEY} printable ASCII characters and no spaces.")
    return key
