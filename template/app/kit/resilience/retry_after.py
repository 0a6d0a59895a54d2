"""The delay that a system requests before the next call."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

MAX_RETRY_AFTER: Final = timedelta(days=1)


def parse_retry_after(value: str | None) -> timedelta | None:
    """Parse the header `Retry-After`: seconds or a date (RFC 9110 §10.2.3). Capped at a day; `None` if invalid."""
    text = (value or "").strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=min(int(text[:9]), MAX_RETRY_AFTER.total_seconds()))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    left = at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)
    return min(max(left, timedelta()), MAX_RETRY_AFTER)


def retry_after_of(error: Exception) -> timedelta | None:
    """Return the error's attribute `retry_after` if it is a `timedelta`."""
    delay = getattr(error, "retry_after", None)
    return delay if isinstance(delay, timedelta) else None
