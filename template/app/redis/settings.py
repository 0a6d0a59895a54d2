"""Settings of Redis."""

from typing import Annotated, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationInfo

from app.core.config.secrets import is_example
from app.core.config.settings import Environment, ModuleSettings, RequiredOutsideLocal

FORMS: Final = "redis://user:password@host:6379/0, or rediss:// for TLS"
PARAMETERS: Final = frozenset(
    {"db", "ssl_ca_certs", "ssl_ca_data", "ssl_cert_reqs", "ssl_certfile", "ssl_check_hostname", "ssl_keyfile"}
)
"""The query parameters that a URL may have."""


def _checked(value: str | None, info: ValidationInfo) -> str | None:
    if value is None:
        return None
    try:
        url = urlsplit(value.strip())
        port = url.port
    except ValueError:
        raise ValueError(f"is not a URL; it must look like {FORMS}") from None
    there = url.path if url.scheme == "unix" else url.hostname
    if url.scheme not in {"redis", "rediss", "unix"} or not there or port == 0:
        raise ValueError(f"must look like {FORMS}")
    if url.scheme != "unix" and not (url.path in {"", "/"} or url.path[1:].isdecimal()):
        raise ValueError("must end with a database number, like /0")
    unknown = sorted({name for name, _ in parse_qsl(url.query, keep_blank_values=True)} - PARAMETERS)
    if unknown:
        raise ValueError(f"has unknown query parameters: {', '.join(unknown)}; remove them")
    deployed = info.data.get("ENVIRONMENT") is not Environment.LOCAL
    if deployed and url.password and is_example(unquote(url.password)):
        raise ValueError("has an example password")
    return value.strip()


class RedisSettings(ModuleSettings):
    """Settings of Redis."""

    # Not in `repr`: it contains the password.
    REDIS_URL: Annotated[str | None, Field(repr=False), AfterValidator(_checked), RequiredOutsideLocal] = None
