"""Which secrets protect something."""

from typing import Final

EXAMPLES: Final = frozenset(
    {"changeme", "changethis", "change-me", "change-this", "secret", "password", "example", "your-secret-key"}
)
"""Values that stand in documentation somewhere and therefore protect nothing."""

MIN_DISTINCT: Final = 8
"""What a person types to fill 32 characters has fewer different ones; what is random has never."""


def is_example(value: str) -> bool:
    """Whether the value is exactly one that is printed somewhere, or one character over and over."""
    return value.lower() in EXAMPLES or (len(value) > 1 and len(set(value)) == 1)


def looks_made_up(value: str) -> bool:
    """Whether a long secret was typed rather than drawn: it contains an example, or few different characters."""
    return len(set(value)) < MIN_DISTINCT or any(word in value.lower() for word in EXAMPLES)
