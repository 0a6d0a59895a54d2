"""Secrets that protect nothing: example values and values that people type."""

from typing import Final

EXAMPLES: Final = frozenset(
    {
        "changeme",
        "changethis",
        "change-me",
        "change-this",
        "secret",
        "password",
        "example",
        "your-secret-key",
        "postgres",
        "admin",
        "root",
        "test",
        "guest",
        "default",
        "pass",
        "qwerty",
        "letmein",
        "12345678",
    }
)
"""Values that are printed in documentation or tried first by attackers."""

PHRASES: Final = frozenset({"changeme", "changethis", "change-me", "change-this", "secret", "password", "example"})
"""Parts of long example values."""

MIN_DISTINCT: Final = 8
"""Distinct characters of a 32-character secret. Typed ones often have fewer; random ones practically never."""


def is_example(value: str) -> bool:
    """Return whether the value is exactly a known example, or one repeated character."""
    return value.lower() in EXAMPLES or (len(value) > 1 and len(set(value)) == 1)


def looks_made_up(value: str) -> bool:
    """Return whether a long secret was typed: it contains an example or has few distinct characters."""
    return len(set(value)) < MIN_DISTINCT or any(word in value.lower() for word in PHRASES)
