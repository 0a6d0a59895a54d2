"""The port for flags, which turn parts of the product on for some users, and its null implementation: all are off."""

from typing import Protocol
from uuid import UUID


class FlagUser(Protocol):
    """A user for whom a flag is evaluated, such as the current user of a request."""

    @property
    def id(self) -> UUID:
        """The user's id."""
        ...


class Flags(Protocol):
    """Flags by their keys."""

    async def enabled(self, key: str, user: FlagUser | UUID | None) -> bool:
        """Return whether a flag is on for a user. Never raises: an unknown flag is off.

        Args:
            key: the flag's key, such as `new-editor`.
            user: the user, or the user's id. `None` for an anonymous visitor, or where no user is involved.
        """
        ...


class NoFlags:
    """The null implementation: every flag is off."""

    async def enabled(self, key: str, user: FlagUser | UUID | None) -> bool:  # noqa: ARG002 - the port's signature
        """See `Flags.enabled`."""
        return False
