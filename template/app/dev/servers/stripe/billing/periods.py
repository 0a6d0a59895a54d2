"""Calendar arithmetic of billing periods."""

import calendar
import re
from datetime import UTC, datetime, timedelta
from typing import Final

from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.catalog import Price, Recurring

DAY: Final = 86_400
_STEP: Final = re.compile(r"\+(\d{1,4}) ?(minute|hour|day|week|month|year)s?")
_SECONDS: Final = {"minute": 60, "hour": 3600, "day": DAY, "week": 7 * DAY}
_MONTHS: Final = {"month": 1, "year": 12}


def add_months(moment: datetime, months: int, *, day: int | None = None) -> datetime:
    """Return the same day of a later month, or that month's last day.

    Args:
        day: the day of the month to aim at, if it isn't the moment's own.
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(day or moment.day, last))


def period_end(start: int, price: Price, anchor: int) -> int:
    """Return when a period that begins at `start` ends.

    Args:
        anchor: the billing cycle's anchor: a subscription of the 31st renews on the last day of shorter months.
    """
    recurring = price.recurring or Recurring(interval="month")
    moment = datetime.fromtimestamp(start, UTC)
    months = _MONTHS.get(recurring.interval)
    if months is not None:
        day = datetime.fromtimestamp(anchor, UTC).day
        return int(add_months(moment, months * recurring.interval_count, day=day).timestamp())
    days = {"day": 1, "week": 7}[recurring.interval] * recurring.interval_count
    return int((moment + timedelta(days=days)).timestamp())


def day_text(moment: int) -> str:
    """Return a date as invoices show it."""
    return f"{datetime.fromtimestamp(moment, UTC):%d %b %Y}"


def later(now: int, step: str) -> int:
    """Return the time after a step like `+1month`, `+3days` or `+2hours`.

    Raises:
        ApiError: the step has another form.
    """
    match = _STEP.fullmatch(step.strip())
    if match is None:
        raise invalid(f"Invalid step: {step}. Use a form like +1month, +3days or +2hours.", "advance")
    count, unit = int(match[1]), match[2]
    months = _MONTHS.get(unit)
    if months is None:
        return now + count * _SECONDS[unit]
    return int(add_months(datetime.fromtimestamp(now, UTC), months * count).timestamp())
