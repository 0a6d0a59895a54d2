"""The contact form: messages of visitors, which are stored, sent by email and passed on to a CRM."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.contact.admin_routes import MESSAGES
from app.contact.admin_routes import router as admin_router
from app.contact.commands import contact
from app.contact.data_policy import FIGURES, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.contact.delivery import deliver_contact_message, delivering
from app.contact.models import ConfirmedRecipient, ContactDelivery, ContactMessage
from app.contact.public_routes import router as public_router
from app.contact.settings import ContactSettings
from app.contact.webhook import SENDER, SYSTEM
from app.core.manifest import Module
from app.core.ports.operations import ExternalCall, WebhookDelivery
from app.core.runtime import Runtime
from app.kit.outbound_http import OutboundHttp


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    async with OutboundHttp(allow_loopback=runtime.settings.is_local) as client:
        runtime.provide(OutboundHttp, client)
        if runtime.resource(ContactSettings).CONTACT_WEBHOOK_URL:
            runtime.telemetry.expect(WebhookDelivery(sender=SENDER), ExternalCall(system=SYSTEM))
        yield


module = Module(
    name="contact",
    models=(ContactMessage, ContactDelivery, ConfirmedRecipient),
    admin_router=admin_router,
    public_router=public_router,
    settings=(ContactSettings,),
    jobs=(deliver_contact_message,),
    lifespan=_lifespan,
    background=delivering,
    commands=(contact,),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    admin_views=(MESSAGES,),
)
