"""Which provider is selected, as far as a provider's own settings have to know it."""

from pydantic import AfterValidator, ValidationInfo

from app.core.settings import Environment

CONSOLE = "console"


def is_selected(name: str, info: ValidationInfo) -> bool:
    """Whether EMAIL_PROVIDER names the provider. Unset, it means `console` in local and the chosen one elsewhere."""
    selected = info.data.get("EMAIL_PROVIDER")
    return selected == name or (not selected and info.data.get("ENVIRONMENT") is not Environment.LOCAL)


def required_for(name: str) -> AfterValidator:
    """A validator that refuses an empty value while the provider is selected.

    The settings class has to declare `EMAIL_PROVIDER: str = ""` before the field.
    """

    def check[T](value: T, info: ValidationInfo) -> T:
        if not value and is_selected(name, info):
            raise ValueError(f"is required for EMAIL_PROVIDER={name}")
        return value

    return AfterValidator(check)
