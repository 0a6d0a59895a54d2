"""Personal data, retention and metrics of users."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.daily_report import rows, rows_since
from app.core.data_policy.figures import rows_by_day, total_rows
from app.core.db.models import utc_now
from app.core.manifest import Figure, PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime
from app.users.models import User, UserIdentity

DELETED_IDENTITY_RETENTION: Final = timedelta(days=30)
"""Longer than the lifetime of the identity's tokens and the delay of its events."""


async def erase_identities(_runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Mark the identities as deleted, so that neither a valid token nor a late event creates the user again."""
    now = utc_now()
    await session.execute(
        update(UserIdentity)
        .where(col(UserIdentity.user_id) == user_id)
        .values(user_id=None, name=None, profile_at=None, deleted_at=now, updated_at=now)
    )


PERSONAL_DATA: Final = (
    PersonalData(model=User, belongs=lambda user_id: col(User.id) == user_id),
    PersonalData(
        model=UserIdentity,
        belongs=lambda user_id: col(UserIdentity.user_id) == user_id,
        erase=erase_identities,
    ),
)


RETENTION: Final = (
    RetentionRule(
        model=UserIdentity,
        expired=lambda _runtime, now: and_(
            col(UserIdentity.user_id).is_(None), col(UserIdentity.deleted_at) < now - DELETED_IDENTITY_RETENTION
        ),
    ),
)

REPORT_METRICS: Final = (
    ReportMetric(name="users_created", count=rows_since(col(User.created_at))),
    ReportMetric(name="users_active", count=rows(User, col(User.is_active).is_(True))),
)

FIGURES: Final = (
    Figure(name="users", query=total_rows(User)),
    Figure(name="sign_ups", query=rows_by_day(User)),
)
