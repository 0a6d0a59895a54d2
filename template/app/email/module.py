"""The email module: templates, a mailer, and emails about events such as a new user."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.data_policy.daily_report import DailyReport
from app.core.manifest import Module, Subscriber, modules_of
from app.core.ports.events import UserNotice
from app.core.ports.operations import EmailDelivery
from app.core.runtime import Runtime
from app.email.commands import email
from app.email.jobs import send_notification_email, send_password_reset_email, send_welcome_email
from app.email.mail_port import MailerPort
from app.email.mailer import Mailer
from app.email.port import Sender
from app.email.providers.registry import PROVIDERS
from app.email.rendering import Templates, template_folders
from app.email.settings import EmailSettings
from app.email.subscribers import on_daily_report, on_export_ready, on_user_created, on_user_notice
from app.users.events import ExportReady, UserCreated


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings, project = runtime.resource(EmailSettings), runtime.settings.PROJECT_NAME
    spec = next(provider for provider in PROVIDERS if provider.name == settings.EMAIL_PROVIDER)
    sender = Sender(address=settings.EMAIL_FROM_ADDRESS, name=settings.EMAIL_FROM_NAME or project)
    folders = template_folders(other.name for other in modules_of(runtime))
    templates = Templates(project, base_url=runtime.settings.PUBLIC_URL, folders=folders)
    async with spec.open(runtime) as provider:
        mailer = Mailer(provider, templates, sender, runtime.telemetry)
        runtime.provide(Mailer, mailer)
        runtime.telemetry.expect(EmailDelivery(provider=spec.name))
        with runtime.override(mail=MailerPort(mailer)):
            yield


module = Module(
    name="email",
    settings=(EmailSettings, *(provider.settings for provider in PROVIDERS)),
    jobs=(send_welcome_email, send_password_reset_email, send_notification_email),
    subscribers=(
        Subscriber(UserCreated, on_user_created),
        Subscriber(ExportReady, on_export_ready),
        Subscriber(DailyReport, on_daily_report),
        Subscriber(UserNotice, on_user_notice),
    ),
    lifespan=_lifespan,
    commands=(email,),
)
