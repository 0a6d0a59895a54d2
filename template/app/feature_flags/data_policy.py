"""Personal data and metrics of feature flags."""

from typing import Final

from sqlmodel import col

from app.core.data_policy.daily_report import rows
from app.core.manifest import PersonalData, ReportMetric
from app.feature_flags.models import FeatureFlag, FeatureFlagUser

PERSONAL_DATA: Final = (
    PersonalData(model=FeatureFlagUser, belongs=lambda user_id: col(FeatureFlagUser.user_id) == user_id),
)

REPORT_METRICS: Final = (
    ReportMetric(name="feature_flags_enabled", count=rows(FeatureFlag, col(FeatureFlag.enabled).is_(True))),
)
