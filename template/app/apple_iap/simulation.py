"""Requests to the fake App Store of `app dev`: purchases, changes and its clock. Only in local."""

import re
from datetime import timedelta
from typing import Any, Final

import httpx

from app.apple_iap.settings import AppleSettings
from app.core.runtime import Runtime
from app.kit.user_error import UserError

TIMEOUT: Final = 60
"""Seconds. A long way of the clock means many notifications, each of which the application receives meanwhile."""
UNITS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_DURATION: Final = re.compile(r"\+?(\d{1,3}) ?(day|week|month|year)s?")


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as `+1month`. A month has 30 days, like the fake's monthly subscriptions.

    Raises:
        UserError: it is malformed.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UserError(f'"{text}" is not a duration. Write one like +1month, +14days or +1year.')
    return timedelta(days=int(match[1]) * UNITS[match[2]])


async def simulate(runtime: Runtime, method: str, path: str, **body: object) -> dict[str, Any]:
    """Send a request to the fake, which then sends its notifications to this application.

    Raises:
        UserError: there is no fake, or it refuses the request.
    """
    settings = runtime.resource(AppleSettings)
    if not settings.APPLE_API_URL:
        raise UserError("Start `app dev` first, in local and without the settings of the App Store.")
    given = {name: value for name, value in body.items() if value is not None}
    async with httpx.AsyncClient(base_url=settings.APPLE_API_URL, timeout=TIMEOUT, trust_env=False) as client:
        try:
            response = await client.request(method, f"/_fake/{path}", json=given)
        except httpx.HTTPError as error:
            raise UserError(
                f"The fake App Store does not answer ({type(error).__name__}). Is `app dev` running?"
            ) from None
    answer: dict[str, Any] = response.json()
    if response.is_error:
        raise UserError(f"The fake App Store refused this: {answer.get('error', response.status_code)}.")
    return answer
