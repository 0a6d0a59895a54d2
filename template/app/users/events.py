"""What other modules may want to know of users."""

from uuid import UUID

from app.core.ports.events import Event


class UserCreated(Event):
    """Somebody is here for the first time."""

    user_id: UUID
    email: str | None
    full_name: str | None


class ExportReady(Event):
    """All that is kept of a user has been put together for them.

    `file_id` is that of a file among their own (`runtime.user_files`); without one an administrator has the export.
    """

    export_id: UUID
    user_id: UUID
    file_id: UUID | None
