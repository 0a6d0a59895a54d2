"""Personal data, retention and metrics of usage."""

import json
from datetime import timedelta
from uuid import UUID

from sqlalchemy import update

from app.core.data_policy.daily_report import make_report
from app.core.data_policy.personal_data import export_user
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.usage_billing.data_policy import KEPT
from app.usage_billing.models import UsageRecord
from app.users.erasure import erase_user
from tests.usage_billing.conftest import record, records


async def test_an_export_contains_the_usage_and_an_erasure_deletes_it(runtime: Runtime, user_id: UUID) -> None:
    await record(runtime, user_id, 5)
    exported = json.loads(b"".join([part async for part in export_user(runtime, user_id)]))
    assert [row["quantity"] for row in exported["tables"]["usage_records"]] == [5]

    await erase_user(runtime, user_id)
    assert await records(runtime) == []


async def test_old_records_are_deleted(runtime: Runtime, user_id: UUID) -> None:
    await record(runtime, user_id, 5)
    async with runtime.database.transaction() as session:
        await session.execute(update(UsageRecord).values(occurred_at=utc_now() - KEPT - timedelta(days=1)))
    await record(runtime, user_id, 7)
    await cleanup_old_data(runtime)
    assert [row.quantity for row in await records(runtime)] == [7]


async def test_the_report_counts_records(runtime: Runtime, user_id: UUID) -> None:
    await record(runtime, user_id, 5, 7)
    metrics = (await make_report(runtime, utc_now().date())).metrics
    names = ("usage_recorded", "usage_pending", "usage_parked", "usage_rejected", "usage_unclear")
    assert [metrics[name] for name in names] == [2, 2, 0, 0, 0]
