"""Events about users."""

from uuid import UUID

from app.core.ports.events import Event


class UserCreated(Event):
    """A user made their first request."""

    user_id: UUID
    email: str | None
    full_name: str | None


class EmailChanged(Event):
    """The email address of a user changed at the identity provider. The user's row has the current one."""

    user_id: UUID


class ExportReady(Event):
    """The export of a user's data is ready.

    `file_id` is one of the user's files (`runtime.user_files`). Without it, an administrator must deliver the export.
    """

    export_id: UUID
    user_id: UUID
    file_id: UUID | None
