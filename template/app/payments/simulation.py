"""Requests that a command sends to the fake of an app store which `app dev` runs."""

import re
from datetime import timedelta
from typing import Any, Final

import httpx

from app.kit.user_error import UserError

TIMEOUT: Final = 60
"""Seconds. A long way of the clock means many notifications, each of which the application receives meanwhile."""
UNITS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}
_DURATION: Final = re.compile(r"\+?(\d{1,3}) ?(day|week|month|year)s?")


def parse_duration(text: str) -> timedelta:
    """Parse a duration such as `+1month`. A month has 30 days, like the fakes' monthly subscriptions.

    Raises:
        UserError: it is malformed.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UserError(f'"{text}" is not a duration. Write one like +1month, +14days or +1year.')
    return timedelta(days=int(match[1]) * UNITS[match[2]])


async def simulate(store: str, url: str, method: str, path: str, **body: object) -> dict[str, Any]:
    """Send a request to a fake, which then sends its notifications to this application.

    Args:
        store: the store's name, for messages.
        url: the fake's, or an empty string if there is none.

    Raises:
        UserError: there is no fake, or it refuses the request.
    """
    if not url:
        raise UserError(f"Start `app dev` first, in local and without the settings of {store}.")
    given = {name: value for name, value in body.items() if value is not None}
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False) as client:
        try:
            response = await client.request(method, f"/_fake/{path}", json=given)
        except httpx.HTTPError as error:
            reason = type(error).__name__
            raise UserError(f"The fake of {store} does not answer ({reason}). Is `app dev` running?") from None
    answer: dict[str, Any] = response.json()
    if response.is_error:
        raise UserError(f"The fake of {store} refused this: {answer.get('error', response.status_code)}.")
    return answer
