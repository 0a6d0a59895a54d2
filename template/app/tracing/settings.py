"""Settings of tracing. Those with a standard name have its meaning: see the OpenTelemetry specification."""

import re
from typing import Annotated, Final
from urllib.parse import unquote

from pydantic import AfterValidator, Field, SecretStr

from app.core.config.settings import ModuleSettings
from app.kit.urls import OptionalServerUrl

HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
TRACES_PATH: Final = "/v1/traces"


def parse_headers(text: str) -> dict[str, str]:
    """Return the headers of `name=value,name=value`, whose values are percent-encoded.

    Raises:
        ValueError: a pair has no `=`, or a name or value is not valid in a header.
    """
    headers: dict[str, str] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, separator, value = (part.strip() for part in pair.partition("="))
        value = unquote(value)
        if not separator or not HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise ValueError('must be a list of headers like "api-key=secret,x-team=web"')
        headers[name.lower()] = value
    return headers


def _headers(value: SecretStr) -> SecretStr:
    parse_headers(value.get_secret_value())
    return value


class TracingSettings(ModuleSettings):
    """Settings of tracing."""

    OTEL_EXPORTER_OTLP_ENDPOINT: OptionalServerUrl = ""
    OTEL_EXPORTER_OTLP_HEADERS: Annotated[SecretStr, AfterValidator(_headers)] = SecretStr("")
    OTEL_TRACES_SAMPLER_ARG: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.1
    OTEL_SERVICE_VERSION: Annotated[str, Field(max_length=100)] = ""
    TRACING_PARENTS_PER_SECOND: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] = 1

    @property
    def traces_url(self) -> str:
        """The URL that spans are sent to. Empty if tracing is off."""
        endpoint = self.OTEL_EXPORTER_OTLP_ENDPOINT
        return endpoint and endpoint + TRACES_PATH

    @property
    def headers(self) -> dict[str, str]:
        """The headers of each request to the collector."""
        return parse_headers(self.OTEL_EXPORTER_OTLP_HEADERS.get_secret_value())
