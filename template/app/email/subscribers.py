"""Whom the application writes to by itself."""

from app.core.runtime import Runtime
from app.email.jobs import send_welcome_email
from app.users.events import UserCreated


async def on_user_created(runtime: Runtime, event: UserCreated) -> None:
    """Queues the welcome mail: this may be a part of somebody else's transaction, which is yet to be committed."""
    if event.email is None:
        return
    async with runtime.database.transaction() as session:
        user_id = str(event.user_id)
        await runtime.queue.enqueue(session, send_welcome_email, user_id, job_id=f"welcome:{user_id}")
