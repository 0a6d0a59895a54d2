"""The port for files that the application creates for users, and its null implementation: no storage."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Protocol
from uuid import UUID


class UserFiles(Protocol):
    """A store for files that the application creates for users. Don't hold a database connection while calling it."""

    async def keep(
        self, user_id: UUID, name: str, content: AsyncIterator[bytes], *, content_type: str, lifetime: timedelta
    ) -> UUID | None:
        """Store a file among the user's own files, for a limited time.

        Returns:
            The file's id. `None` if there is no storage; then the content was not read.
        """
        ...

    async def link(self, user_id: UUID, file_id: UUID, *, lifetime: timedelta) -> str | None:
        """Return an absolute URL that downloads the file without authentication, or `None` if that is not possible."""
        ...


class NoUserFiles:
    """The null implementation: stores nothing."""

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
