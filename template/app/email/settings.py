"""Who carries mail away, and from whom it is."""

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from app.core.config.provider_selection import Selection
from app.core.config.settings import Environment, ModuleSettings
from app.email.addresses import check_address, check_line
from app.email.port import CONSOLE, EmailRejectedError
from app.email.providers.registry import PROVIDERS

SELECTION = Selection(PROVIDERS, modest=CONSOLE)
EXAMPLE_DOMAIN = "@example.com"


def _address(value: str, info: ValidationInfo) -> str:
    try:
        address = check_address(value)
    except EmailRejectedError:
        raise ValueError("has to be an address like hello@example.com") from None
    deployed = info.data.get("ENVIRONMENT") is not Environment.LOCAL
    if deployed and info.data.get("EMAIL_PROVIDER") != CONSOLE and address.endswith(EXAMPLE_DOMAIN):
        raise ValueError("is an example value; providers take mail from your own domain")
    return address


def _recipient(value: str) -> str:
    try:
        return check_address(value) if value else value
    except EmailRejectedError:
        raise ValueError("has to be an address like team@example.com") from None


def _line(value: str) -> str:
    try:
        return check_line(value, "it") if value else value
    except EmailRejectedError:
        raise ValueError("has to be one line") from None


class EmailSettings(ModuleSettings):
    """What the module itself needs; each provider has settings of its own."""

    EMAIL_PROVIDER: Annotated[str, AfterValidator(SELECTION.check)] = ""
    EMAIL_FROM_ADDRESS: Annotated[str, AfterValidator(_address)] = "hello@example.com"
    EMAIL_FROM_NAME: Annotated[str, AfterValidator(_line)] = ""
    REPORT_EMAIL: Annotated[str, AfterValidator(_recipient)] = ""
