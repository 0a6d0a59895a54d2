"""The table of usage: one row for each user, limit and period."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, UniqueConstraint
from sqlmodel import Field

from app.core.db.models import Entity
from app.plans.catalog import MAX_NAME_LENGTH


class PlanUsage(Entity, table=True):
    """A user's usage of one resource.

    A counter has a row for each period. A level has one row without an end, whose period starts at `LEVEL_PERIOD`; its
    `used` is an upper bound, which is measured again before anything is refused.
    """

    __tablename__ = "plan_usage"
    __table_args__ = (
        UniqueConstraint("user_id", "resource", "period_start"),
        CheckConstraint("used >= 0", name="used"),
    )

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    resource: str = Field(max_length=MAX_NAME_LENGTH)
    period_start: datetime
    period_end: datetime | None = Field(default=None, index=True)
    used: int = Field(sa_type=BigInteger)
