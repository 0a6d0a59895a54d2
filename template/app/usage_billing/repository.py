"""Queries on usage records and on error reports."""

from uuid import UUID

from app.core.db.repository import Repository
from app.usage_billing import statements
from app.usage_billing.models import MeterErrorReport, UsageRecord


class UsageRepository(Repository[UsageRecord]):
    """Usage records of all users."""

    model = UsageRecord

    async def send_again(self, record_id: UUID) -> bool:
        """Make a record due that was rejected or is unclear. Return whether it was."""
        return await statements.send_again_in(self.session, [record_id]) == 1


class ErrorReportRepository(Repository[MeterErrorReport]):
    """Error reports of Stripe."""

    model = MeterErrorReport
