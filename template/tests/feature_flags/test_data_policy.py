"""Personal data and metrics of feature flags."""

import json

from app.core.data_policy.daily_report import make_report
from app.core.data_policy.personal_data import export_user
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.repository import FlagRepository
from app.users.erasure import erase_user
from tests.feature_flags.conftest import create_flag, create_users, list_users


async def test_an_export_has_the_lists_and_an_erasure_removes_them(runtime: Runtime, flags: FeatureFlags) -> None:
    user, other = await create_users(runtime, 2)
    flag = await create_flag(runtime, "editor", {"listed": True})
    await list_users(runtime, flag.id, user, other)

    exported = json.loads(b"".join([piece async for piece in export_user(runtime, user)]))
    await erase_user(runtime, user)

    assert [row["flag_id"] for row in exported["tables"]["feature_flag_users"]] == [str(flag.id)]
    assert [await flags.enabled("editor", each) for each in (user, other)] == [False, True]
    async with runtime.database.reading() as session:
        assert (await FlagRepository(session).require(flag.id)).user_count == 1


async def test_the_report_counts_enabled_flags(runtime: Runtime) -> None:
    await create_flag(runtime, "editor", {"everyone": True})
    await create_flag(runtime, "search", {"everyone": True}, enabled=False)

    assert (await make_report(runtime, utc_now().date())).metrics["feature_flags_enabled"] == 1
