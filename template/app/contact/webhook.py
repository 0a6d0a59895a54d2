"""The webhook to a CRM, signed as https://www.standardwebhooks.com specifies."""

import json
from typing import Final

from app.contact.models import ContactMessage
from app.contact.settings import ContactSettings
from app.core.ports.operations import WebhookDelivery
from app.core.runtime import Runtime
from app.kit.external_calls import reported_call
from app.kit.outbound_http import OutboundHttp

EVENT_TYPE: Final = "contact.message.created"
GONE: Final = 410
OK: Final = range(200, 300)
SENDER: Final = "contact"
SYSTEM: Final = "contact_webhook"


class UndeliverableError(Exception):
    """A delivery cannot succeed: a retry would not help."""


class WebhookFailedError(Exception):
    """The CRM did not accept the webhook."""


async def send_webhook(runtime: Runtime, message: ContactMessage) -> None:
    """Send a message to the CRM. Each attempt has the same `webhook-id`, by which the CRM can ignore duplicates.

    Raises:
        UndeliverableError: no URL is set, or the CRM answers 410: it wants no more webhooks.
        WebhookFailedError: the CRM answers another status than 2xx.
        OutboundHttpError: the CRM does not answer, or its host is not public.
    """
    settings = runtime.resource(ContactSettings)
    if not settings.CONTACT_WEBHOOK_URL:
        raise UndeliverableError("CONTACT_WEBHOOK_URL is not set.")
    body = json.dumps(payload_of(message), ensure_ascii=False).encode()
    headers = {
        "content-type": "application/json",
        **settings.webhook_signer.sign(f"contact_{message.id.hex}", body),
    }
    with runtime.telemetry.observe(WebhookDelivery(sender=SENDER)), reported_call(SYSTEM):
        status = await runtime.resource(OutboundHttp).post(settings.CONTACT_WEBHOOK_URL, body, headers)
        if status == GONE:
            raise UndeliverableError("The CRM answers 410 Gone.")
        if status not in OK:
            raise WebhookFailedError(f"The CRM answers {status}.")


def payload_of(message: ContactMessage) -> dict[str, object]:
    """Return the body of a message's webhook."""
    consent = None
    if message.consent_version is not None and message.consent_at is not None:
        consent = {"version": message.consent_version, "at": message.consent_at.isoformat()}
    return {
        "type": EVENT_TYPE,
        "timestamp": message.created_at.isoformat(),
        "data": {
            "id": str(message.id),
            "name": message.name,
            "email": message.email,
            "phone": message.phone,
            "company": message.company,
            "subject": message.subject,
            "message": message.message,
            "extra_fields": message.extra_fields,
            "source": message.source,
            "consent": consent,
        },
    }
