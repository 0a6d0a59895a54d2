"""The port for files that the application puts among a user's own, and its null implementation: there are none."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol
from uuid import UUID


class UserFiles(Protocol):
    """Files that the application makes for users. Hold no database connection while you call it."""

    async def keep(
        self, user_id: UUID, name: str, content: AsyncIterator[bytes], *, content_type: str, lifetime: timedelta
    ) -> UUID | None:
        """Puts a file among the user's own, for a while.

        Returns:
            Its id, or `None` where no files are kept; nothing of the content was read then.
        """
        ...

    async def link(self, user_id: UUID, file_id: UUID, *, lifetime: timedelta) -> str | None:
        """An absolute URL under which whoever has it downloads the file, if there is such a file and such a URL."""
        ...


class NoUserFiles:
    """Keeps nothing."""

    async def keep(
        self,
        user_id: UUID,  # noqa: ARG002 - the port's signature
        name: str,  # noqa: ARG002
        content: AsyncIterator[bytes],  # noqa: ARG002
        *,
        content_type: str,  # noqa: ARG002
        lifetime: timedelta,  # noqa: ARG002
    ) -> UUID | None:
        """See `UserFiles.keep`."""
        return None

    async def link(self, user_id: UUID, file_id: UUID, *, lifetime: timedelta) -> str | None:  # noqa: ARG002
        """See `UserFiles.link`."""
        return None
