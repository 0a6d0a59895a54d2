"""What other modules may want to know of users."""

from uuid import UUID

from app.core.events import Event


class UserCreated(Event):
    """Somebody is here for the first time."""

    user_id: UUID
    email: str | None
    full_name: str | None
