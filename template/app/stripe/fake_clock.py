"""The clock of the fake of Stripe that `app dev` runs."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import httpx

from app.kit.user_error import UserError
from app.stripe.settings import StripeSettings

TIMEOUT: Final = 30.0
DELIVERY_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """The new time, and the events until then.

    Attributes:
        now: the time at the fake.
        lines: a line for each event.
    """

    now: datetime
    lines: Sequence[str]


async def move_clock(settings: StripeSettings, step: str) -> Moved:
    """Move the clock, and wait until the application has received the events.

    Raises:
        UserError: the step is malformed, or the server is not the fake.
    """
    headers = {"Authorization": f"Bearer {settings.STRIPE_SECRET_KEY.get_secret_value()}"}
    async with httpx.AsyncClient(
        base_url=settings.STRIPE_API_BASE, headers=headers, timeout=TIMEOUT, trust_env=False
    ) as client:
        try:
            moved = _read(await client.post("/_fake/clock", json={"advance": step}))
            await _wait_for_delivery(client)
        except httpx.HTTPError as error:
            raise UserError(f"{settings.STRIPE_API_BASE} does not answer: {type(error).__name__}.") from error
    lines = [
        f"  {_time(each['created']):%d %b %Y, %H:%M}  {each['type']}  {each['id'] or ''}" for each in moved["events"]
    ]
    return Moved(now=_time(moved["now"]), lines=lines)


async def _wait_for_delivery(client: httpx.AsyncClient) -> None:
    deadline = asyncio.get_running_loop().time() + DELIVERY_SECONDS
    while asyncio.get_running_loop().time() < deadline:
        if _read(await client.get("/_fake"))["pending_events"] == 0:
            return
        await asyncio.sleep(_POLL_SECONDS)
    raise UserError("The application did not accept all events. Is `app dev` running? The fake keeps trying.")


def _read(response: httpx.Response) -> dict[str, Any]:
    found = response.json() if response.headers.get("content-type") == "application/json" else {}
    if not response.is_success:
        raise UserError(found.get("error", {}).get("message", "This server is not the fake of Stripe."))
    return dict(found)


def _time(moment: int) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
