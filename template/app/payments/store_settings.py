"""Settings that app stores have in common."""

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from app.core.config.settings import Environment
from app.kit.urls import OptionalServerUrl


def _only_in_local(value: str, info: ValidationInfo) -> str:
    if value and info.data.get("ENVIRONMENT") is not Environment.LOCAL:
        raise ValueError("must be empty outside local")
    return value


FakeStoreUrl = Annotated[OptionalServerUrl, AfterValidator(_only_in_local)]
"""The URL of a fake store. It is empty where the store itself is used, and everywhere outside local."""
