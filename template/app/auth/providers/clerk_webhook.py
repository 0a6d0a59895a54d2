"""Clerk's webhook: keeps users in sync (https://clerk.com/docs/guides/development/webhooks/overview)."""

from datetime import UTC, datetime

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.claims import Claims, is_subject, section
from app.auth.events import IdentityChanged, IdentityDeleted
from app.auth.providers.clerk_settings import NAME, ClerkSettings
from app.auth.providers.clerk_user import email_of, name_of
from app.auth.standard_webhooks import RATE, MalformedEventError, Shape, read_event, verify
from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep
from app.core.inbox import service as inbox
from app.core.ports.queue import Json
from app.core.runtime import Runtime

router = APIRouter(dependencies=[Depends(RATE)])

SHAPE: Shape = {
    "type": None,
    "timestamp": None,
    "data": {
        "id": None,
        "first_name": None,
        "last_name": None,
        "primary_email_address_id": None,
        "email_addresses": {"id": None, "email_address": None, "verification": {"status": None}},
        "updated_at": None,
    },
}


@router.post("/webhooks/clerk", status_code=202)
async def receive_clerk_event(request: Request, runtime: RuntimeDep) -> dict[str, bool]:
    """Receive an event of Clerk.

    An event that was received before is acknowledged and ignored.
    """
    secret = runtime.resource(ClerkSettings).CLERK_WEBHOOK_SECRET
    if secret is None:
        raise NotFoundError("Webhook")
    body = await request.body()
    event_id = verify(secret, request.headers, body, prefix="svix")
    await inbox.receive(
        runtime, provider=NAME, event_id=event_id, payload=read_event(body, SHAPE), handler=apply_clerk_event
    )
    return {"received": True}


async def apply_clerk_event(runtime: Runtime, session: AsyncSession, payload: dict[str, Json]) -> None:
    """Publish that a user was created, changed or deleted. Ignore other events.

    Raises:
        MalformedEventError: the event does not match Clerk's documentation.
    """
    kind = payload.get("type")
    if not isinstance(kind, str):
        raise MalformedEventError("the event has no type")
    if kind not in {"user.created", "user.updated", "user.deleted"}:
        return
    user = section(payload, "data")
    subject = user.get("id")
    if not isinstance(subject, str) or not is_subject(subject):
        raise MalformedEventError("data.id is not a user's id")
    if kind == "user.deleted":
        at = _moment(payload, "timestamp")
        await runtime.events.apply(session, IdentityDeleted(provider=NAME, subject=subject, at=at))
        return
    email = email_of(user)
    changed = IdentityChanged(
        provider=NAME,
        subject=subject,
        email=email,
        email_verified=email is not None,
        name=name_of(user),
        at=_moment(user, "updated_at"),
    )
    await runtime.events.apply(session, changed)


def _moment(claims: Claims, name: str) -> datetime:
    """Return a time that Clerk states in milliseconds."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedEventError(f"{name} is not a time")
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (ValueError, ArithmeticError, OSError):
        raise MalformedEventError(f"{name} is not a time") from None
