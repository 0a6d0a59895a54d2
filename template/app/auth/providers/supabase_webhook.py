"""The webhook on `auth.users`: keeps users in sync. docs/auth-supabase.md contains the trigger that sends it."""

from datetime import datetime

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from app.auth.claims import Claims, clean_email, clean_name, is_subject, section
from app.auth.events import IdentityChanged, IdentityDeleted
from app.auth.providers.supabase_settings import NAME, SupabaseSettings
from app.auth.standard_webhooks import RATE, MalformedEventError, Shape, read_event, verify
from app.core.errors import NotFoundError
from app.core.http.dependencies import RuntimeDep
from app.core.inbox import service as inbox
from app.core.ports.queue import Json
from app.core.runtime import Runtime

router = APIRouter(dependencies=[Depends(RATE)])

_USER: Shape = {
    "id": None,
    "email": None,
    "email_confirmed_at": None,
    "raw_user_meta_data": {"full_name": None, "name": None},
    "deleted_at": None,
}
SHAPE: Shape = {
    "type": None,
    "schema": None,
    "table": None,
    "timestamp": None,
    "record": _USER,
    "old_record": _USER,
}


@router.post("/webhooks/supabase", status_code=202)
async def receive_supabase_event(request: Request, runtime: RuntimeDep) -> dict[str, bool]:
    """Receive an event of Supabase.

    An event that was received before is acknowledged and ignored.
    """
    secret = runtime.resource(SupabaseSettings).SUPABASE_WEBHOOK_SECRET
    if secret is None:
        raise NotFoundError("Webhook")
    body = await request.body()
    event_id = verify(secret, request.headers, body)
    await inbox.receive(
        runtime, provider=NAME, event_id=event_id, payload=read_event(body, SHAPE), handler=apply_supabase_event
    )
    return {"received": True}


async def apply_supabase_event(runtime: Runtime, session: AsyncSession, payload: dict[str, Json]) -> None:
    """Publish that a row of `auth.users` was created, changed or deleted. Ignore other tables.

    Raises:
        MalformedEventError: the event does not match what the trigger sends.
    """
    kind = payload.get("type")
    if kind not in {"INSERT", "UPDATE", "DELETE"}:
        raise MalformedEventError("type is not INSERT, UPDATE or DELETE")
    if (payload.get("schema"), payload.get("table")) != ("auth", "users"):
        return
    user = section(payload, "old_record" if kind == "DELETE" else "record")
    subject = user.get("id")
    if not isinstance(subject, str) or not is_subject(subject):
        raise MalformedEventError("the row has no id")
    at = _moment(payload)
    if kind == "DELETE" or user.get("deleted_at") is not None:
        await runtime.events.apply(session, IdentityDeleted(provider=NAME, subject=subject, at=at))
        return
    await runtime.events.apply(session, _changed(subject, user, at))


def _changed(subject: str, user: Claims, at: datetime) -> IdentityChanged:
    """Return the event for a row. An address that the row calls unconfirmed is left out.

    A trigger of an earlier version does not send `email_confirmed_at`; the address is then taken as unverified.
    """
    editable = section(user, "raw_user_meta_data")
    confirmed = isinstance(user.get("email_confirmed_at"), str)
    refused = "email_confirmed_at" in user and not confirmed
    email = None if refused else clean_email(user.get("email"))
    return IdentityChanged(
        provider=NAME,
        subject=subject,
        email=email,
        email_verified=confirmed and email is not None,
        name=clean_name(editable.get("full_name")) or clean_name(editable.get("name")),
        at=at,
    )


def _moment(payload: Claims) -> datetime:
    """Return when the trigger ran. It runs while the row is locked, so that a user's events are in order."""
    value = payload.get("timestamp")
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise MalformedEventError("timestamp is not a time with a time zone")
    return moment
