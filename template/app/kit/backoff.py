"""Exponential backoff."""

import random
from datetime import timedelta


def backoff(attempt: int, *, first: timedelta, longest: timedelta) -> timedelta:
    """Return the delay after the `attempt`-th failure (from 1): doubles up to `longest`, minus a random third at most.

    The random part keeps calls that failed together from retrying together.
    """
    doubled = first * 2.0 ** min(attempt - 1, 32)
    return min(doubled, longest) * random.uniform(2 / 3, 1)  # noqa: S311 - spreads load, protects nothing
