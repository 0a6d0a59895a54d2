"""How long to wait before something is tried again."""

import random
from datetime import timedelta


def backoff(attempt: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """The pause after the `attempt`-th failure (from 1): doubles each time up to `longest`, less up to a third.

    The random part keeps those that failed together from coming back together.
    """
    doubled = first * 2.0 ** min(attempt - 1, 32)
    return min(doubled, longest) * random.uniform(2 / 3, 1)  # noqa: S311 - spreads load, protects nothing
