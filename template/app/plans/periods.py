"""The periods of counters: the billing period, in months if it is longer, or the calendar month. Times are in UTC."""

import calendar
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, NamedTuple

SHORTEST_REST: Final = timedelta(days=3)
"""If less than this remains of a billing period after a month, it belongs to that month."""


class Period(NamedTuple):
    """The time from `start` until before `end`."""

    start: datetime
    end: datetime


def calendar_month(now: datetime) -> Period:
    """Return the calendar month."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Period(start, add_months(start, 1))


def billing_month(start: datetime, end: datetime, now: datetime) -> Period:
    """Return the part of a billing period that counters cover.

    A billing period of at most a month is one part. A longer one, such as a year, is divided into months, each of which
    begins on the same day, or on the last day of a shorter month. Once the period has ended, as in a grace period, the
    next one is assumed to have begun.

    Args:
        start: the start of the billing period.
        end: the end of the billing period.
        now: the current time.
    """
    start, end, now = start.astimezone(UTC), end.astimezone(UTC), now.astimezone(UTC)
    late = now >= end
    begin = end if late else start
    day = max(start.day, end.day) if _is_last_day(begin) else begin.day
    for months in count(1):
        until = add_months(end if late else start, months, day=day)
        if not late and end - until < SHORTEST_REST:
            until = end
        if now < until:
            break
        begin = until
    return Period(begin, until)


def _is_last_day(moment: datetime) -> bool:
    return moment.day == calendar.monthrange(moment.year, moment.month)[1]


def add_months(moment: datetime, months: int, *, day: int | None = None) -> datetime:
    """Return the same time some months later, on the same day or on the last day of a shorter month.

    Args:
        moment: the time to start from.
        months: the number of months.
        day: the day of the month. By default, the day of `moment`.
    """
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return moment.replace(year=year, month=month + 1, day=min(day or moment.day, last_day))
