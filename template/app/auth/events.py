"""What a provider's webhook tells the rest of the application."""

from datetime import datetime

from app.core.ports.events import Event


class IdentityChanged(Event):
    """Somebody's address or name is new, or they have just signed up. `at` is the provider's clock."""

    provider: str
    subject: str
    email: str | None
    name: str | None
    at: datetime


class IdentityDeleted(Event):
    """Somebody is gone at the provider."""

    provider: str
    subject: str
    at: datetime
