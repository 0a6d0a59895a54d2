"""Subscribers of payments to events of other modules."""

from app.core.runtime import Runtime
from app.payments.adoption import adopt_parked
from app.users.events import UserCreated


async def on_user_created(runtime: Runtime, event: UserCreated) -> None:
    """Assign the user's parked subscriptions to the new user."""
    await adopt_parked(runtime, event.user_id)
