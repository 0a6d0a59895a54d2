"""What is kept of users, when it goes, and what of it is counted."""

from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.daily_report import rows, rows_since
from app.core.db.models import utc_now
from app.core.manifest import PersonalData, ReportMetric, RetentionRule
from app.core.runtime import Runtime
from app.users.models import User, UserIdentity

KEEP_GONE_IDENTITIES: Final = timedelta(days=30)
"""How long an identity without a user is remembered: longer than its tokens live and news of it take to arrive."""


async def leave_gone_identities(_runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    """Leaves of each identity only that it is gone: a token that is still good, or late news, bring nobody back."""
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
        erase=leave_gone_identities,
    ),
)


RETENTION: Final = (
    RetentionRule(
        model=UserIdentity,
        expired=lambda _runtime, now: and_(
            col(UserIdentity.user_id).is_(None), col(UserIdentity.deleted_at) < now - KEEP_GONE_IDENTITIES
        ),
    ),
)

REPORT_METRICS: Final = (
    ReportMetric(name="users_created", count=rows_since(col(User.created_at))),
    ReportMetric(name="users_active", count=rows(User, col(User.is_active).is_(True))),
)
