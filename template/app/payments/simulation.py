"""Requests that a command sends to the fake of an app store which `app dev` runs."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import click
import httpx

from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.payments.commands import find_user
from app.payments.models import Subscription
from app.payments.port import BillingProvider
from app.payments.reconciliation import reconcile_provider

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


@dataclass(frozen=True, slots=True)
class FakeStore:
    """The fake of an app store, as the commands use it.

    Attributes:
        name: the store's name, for messages.
        url: returns the fake's URL, or an empty string if there is none.
    """

    name: str
    url: Callable[[Runtime], str]

    async def request(self, runtime: Runtime, method: str, path: str, **body: object) -> dict[str, Any]:
        """Send a request to the fake, which then sends its notifications to this application.

        Raises:
            UserError: there is no fake, or it refuses the request.
        """
        url = self.url(runtime)
        if not url:
            raise UserError(f"Start `app dev` first, in local and without the settings of {self.name}.")
        given = {name: value for name, value in body.items() if value is not None}
        async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT, trust_env=False) as client:
            try:
                response = await client.request(method, f"/_fake/{path}", json=given)
            except httpx.HTTPError as error:
                reason = type(error).__name__
                raise UserError(f"The fake of {self.name} does not answer ({reason}). Is `app dev` running?") from None
        answer: dict[str, Any] = response.json()
        if response.is_error:
            raise UserError(f"The fake of {self.name} refused this: {answer.get('error', response.status_code)}.")
        return answer

    async def buy(
        self, runtime: Runtime, who: str, product: str, *, anonymous: bool, **options: object
    ) -> dict[str, Any]:
        """Buy a product for a user, and return the purchase. An anonymous purchase names no user."""
        user_id = await find_user(runtime, who)
        account = None if anonymous else str(user_id)
        return await self.request(runtime, "POST", "subscriptions", product=product, account=account, **options)

    async def print_all(self, runtime: Runtime) -> None:
        """Print the subscriptions."""
        found = (await self.request(runtime, "GET", "subscriptions"))["subscriptions"]
        for item in found:
            click.echo(f"{item['id']}  {item['state']:15}  {item['expires'][:19]:19}  {item['product']}")
        if not found:
            click.echo("No subscriptions.")

    async def move_clock(self, runtime: Runtime, duration: str, provider: BillingProvider) -> None:
        """Let time pass, and store what has changed, also if the notifications found no running server."""
        moved = await self.request(runtime, "POST", "clock", seconds=parse_duration(duration).total_seconds())
        outcome = await reconcile_provider(runtime, provider)
        click.echo(f"In {self.name} it is now {moved['now'][:19]}. {outcome.checked} subscriptions checked.")


def print_stored(id_: str, stored: Subscription | None) -> None:
    """Print a subscription as this application stores it."""
    if stored is not None:
        click.echo(f"{id_}  {stored.status}  plan {stored.plan}, user {stored.user_id}")
