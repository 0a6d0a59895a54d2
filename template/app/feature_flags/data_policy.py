"""Personal data, metrics, and figures of feature flags."""

from typing import Final
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.data_policy.daily_report import rows
from app.core.data_policy.figures import rows_where, total_rows
from app.core.db.database import after_commit
from app.core.manifest import Figure, PersonalData, ReportMetric
from app.core.runtime import Runtime
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.models import FeatureFlag, FeatureFlagUser
from app.feature_flags.repository import FlagRepository


async def _erase_from_lists(runtime: Runtime, session: AsyncSession, user_id: UUID) -> None:
    flags = FlagRepository(session)
    # Count the change first, as all changes to flags do: they wait for one another.
    await flags.next_revision()
    await flags.remove_user_from_all(user_id)
    # Processes forget the user too.
    after_commit(session, runtime.resource(FeatureFlags).store.changed)


PERSONAL_DATA: Final = (
    PersonalData(
        model=FeatureFlagUser,
        belongs=lambda user_id: col(FeatureFlagUser.user_id) == user_id,
        erase=_erase_from_lists,
    ),
)

REPORT_METRICS: Final = (
    ReportMetric(name="feature_flags_enabled", count=rows(FeatureFlag, col(FeatureFlag.enabled).is_(True))),
)

# There are few flags, so that no index has to cover them.
FIGURES: Final = (
    Figure(name="feature_flags", query=total_rows(FeatureFlag)),
    Figure(name="feature_flags_enabled", query=rows_where(FeatureFlag, col(FeatureFlag.enabled).is_(True))),
)
