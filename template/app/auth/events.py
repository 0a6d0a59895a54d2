"""Events that the webhooks of identity providers publish."""

from datetime import datetime

from app.core.ports.events import Event


class IdentityChanged(Event):
    """A user signed up, or their address or name changed. `at` is the provider's time."""

    provider: str
    subject: str
    email: str | None
    email_verified: bool = False
    name: str | None
    at: datetime


class IdentityDeleted(Event):
    """A user was deleted at the provider."""

    provider: str
    subject: str
    at: datetime
