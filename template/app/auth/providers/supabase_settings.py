"""The settings of Supabase."""

from typing import Annotated

from pydantic import Field, SecretStr

from app.auth.standard_webhooks import WebhookSecret
from app.auth.urls import BaseUrl
from app.core.config.settings import MIN_SECRET_LENGTH, ModuleSettings, RequiredOutsideLocal

NAME = "supabase"


class SupabaseSettings(ModuleSettings):
    """Only the project's URL is required. The secrets enable legacy tokens and the webhook."""

    SUPABASE_PROJECT_URL: Annotated[BaseUrl, RequiredOutsideLocal] = None
    SUPABASE_JWT_SECRET: Annotated[SecretStr, Field(min_length=MIN_SECRET_LENGTH)] | None = None
    SUPABASE_WEBHOOK_SECRET: WebhookSecret = None
