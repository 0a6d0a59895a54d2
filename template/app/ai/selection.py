"""Which provider is the default, as far as a provider's own settings have to know it."""

from pydantic import AfterValidator, SecretStr, ValidationInfo

from app.core.settings import Environment


def _base_url(value: str) -> str:
    scheme, separator, host = value.partition("://")
    if value and (scheme not in {"http", "https"} or not separator or not host or "?" in host or "#" in host):
        raise ValueError('has to be an address like "https://api.example.com/v1"')
    return value.rstrip("/")


BaseUrl = AfterValidator(_base_url)
"""A validator of the address of a provider's server."""


def required_for(name: str) -> AfterValidator:
    """A validator that refuses an empty key outside local while the provider is the default.

    The settings class has to declare `AI_DEFAULT_PROVIDER: str = ""` before the field.
    """
    return AfterValidator(lambda value, info: check_key(name, value, info))


def check_key(name: str, value: SecretStr, info: ValidationInfo) -> SecretStr:
    """The key itself.

    Raises:
        ValueError: it is empty, and the provider is the default outside local.
    """
    local = info.data.get("ENVIRONMENT") is Environment.LOCAL
    if not local and info.data.get("AI_DEFAULT_PROVIDER") == name and not value.get_secret_value():
        raise ValueError(f"is required for AI_DEFAULT_PROVIDER={name}")
    return value
