"""Jobs that export and erase a user's data. Enqueue them from your own routes."""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic_core import from_json
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.data_policy.personal_data import export_user
from app.core.db.models import utc_now
from app.core.ports.queue import UuidText
from app.core.runtime import Runtime
from app.users.erasure import erase_user
from app.users.errors import LastAdminError
from app.users.events import ExportReady
from app.users.models import User
from app.users.repository import UserRepository

logger = structlog.stdlib.get_logger(__name__)

EXPORT_LIFETIME: Final = timedelta(days=7)
"""Lifetime of an export in the user's files."""


async def export_user_data(runtime: Runtime, user_id: UuidText) -> dict[str, Any] | None:
    """Export a user's data to one of their files and publish `ExportReady`. Without file storage, return the export.

    Returns:
        `{"file_id"}`, or the export itself; `None` if the user does not exist.
    """
    key = UUID(user_id)
    async with runtime.database.reading() as session:
        exists = await UserRepository(session).count(col(User.id) == key)
    if not exists:
        logger.warning("export_user_not_found", user_id=user_id)
        return None
    file_id = await runtime.user_files.keep(
        key,
        f"personal-data-{utc_now():%Y-%m-%d}.json",
        export_user(runtime, key),
        content_type="application/json",
        lifetime=EXPORT_LIFETIME,
    )
    async with runtime.database.transaction() as session:
        await runtime.events.publish(session, ExportReady(export_id=file_id or uuid7(), user_id=key, file_id=file_id))
    if file_id is not None:
        return {"file_id": str(file_id)}
    export: dict[str, Any] = from_json(b"".join([piece async for piece in export_user(runtime, key)]))
    return export


async def delete_user_data(runtime: Runtime, user_id: UuidText, actor_id: UuidText | None = None) -> None:
    """Erase a user and their data. Idempotent.

    Args:
        actor_id: the administrator who requested it.
    """
    try:
        await erase_user(runtime, UUID(user_id), actor_id=UUID(actor_id) if actor_id else None)
    except LastAdminError as error:
        # A retry would fail again.
        logger.warning("erasure_refused", user_id=user_id, reason=error.code)
