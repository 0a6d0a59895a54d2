"""The token of a scrape."""

import hmac

from app.core.errors import UnauthorizedError
from app.core.runtime import Runtime
from app.metrics.settings import MetricsSettings


def require_token(runtime: Runtime, given: str | None) -> None:
    """Check the token. In local, none is needed unless one is set. The duration reveals nothing about the token.

    Raises:
        UnauthorizedError: the token is missing or wrong.
    """
    expected = runtime.resource(MetricsSettings).METRICS_TOKEN
    if expected is None:
        return
    if not hmac.compare_digest((given or "").encode(errors="surrogatepass"), expected.get_secret_value().encode()):
        raise UnauthorizedError("METRICS_TOKEN is required as the bearer token.")
