"""The provider, the sender, and the recipient of the daily report."""

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from app.core.config.provider_selection import Selection
from app.core.config.settings import Environment, ForDevelopment, ModuleSettings
from app.email.errors import EmailRejectedError
from app.email.port import CONSOLE
from app.email.providers.registry import PROVIDERS
from app.email.validation import check_address, check_line

SELECTION = Selection(PROVIDERS, local_default=CONSOLE)
EXAMPLE_DOMAIN = "@example.com"


def _sends_in_production(value: str, info: ValidationInfo) -> str:
    if value != CONSOLE or info.data.get("ENVIRONMENT") is not Environment.PRODUCTION:
        return value
    others = [spec.name for spec in PROVIDERS if spec.name != CONSOLE]
    if not others:
        raise ValueError(
            "is console, which sends no email, and this project has no other provider: add one before going to "
            "production (docs/email.md)"
        )
    raise ValueError(f"is console, which sends no email: set it to {' or '.join(others)}, or leave it empty")


def _sender(value: str, info: ValidationInfo) -> str:
    try:
        address = check_address(value)
    except EmailRejectedError:
        raise ValueError("must be an address like hello@example.com") from None
    deployed = info.data.get("ENVIRONMENT") is not Environment.LOCAL
    if deployed and info.data.get("EMAIL_PROVIDER") != CONSOLE and address.endswith(EXAMPLE_DOMAIN):
        raise ValueError("is an example value: providers accept only senders at your own verified domain")
    return address


def _recipient(value: str) -> str:
    try:
        return check_address(value) if value else value
    except EmailRejectedError:
        raise ValueError("must be an address like team@example.com") from None


def _line(value: str) -> str:
    try:
        return check_line(value, "The name") if value else value
    except EmailRejectedError:
        raise ValueError("must be one line") from None


class EmailSettings(ModuleSettings):
    """The settings of the module itself. Each provider has its own."""

    EMAIL_PROVIDER: Annotated[
        str, AfterValidator(SELECTION.check), ForDevelopment(CONSOLE), AfterValidator(_sends_in_production)
    ] = ""
    EMAIL_FROM_ADDRESS: Annotated[str, AfterValidator(_sender)] = "hello@example.com"
    EMAIL_FROM_NAME: Annotated[str, AfterValidator(_line)] = ""
    REPORT_EMAIL: Annotated[str, AfterValidator(_recipient)] = ""
