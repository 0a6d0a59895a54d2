"""Many changes at the same time, with real transactions, and many rows."""

import asyncio
from uuid import UUID

import httpx
import pytest
from sqlalchemy import func, select

from app.core.runtime import Runtime
from app.feature_flags import service
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.models import FeatureFlag, FeatureFlagUser
from app.feature_flags.snapshot import read_revision
from app.users.roles import Role
from tests.conftest import SignIn
from tests.feature_flags.conftest import ADMIN, create_flag, create_users
from tests.query_plans import explain, fill, selects_of

CALLERS = 100


@pytest.fixture
async def live_admin(live_sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The headers of an administrator without rate limits."""
    monkeypatch.setattr(service, "MAX_FLAGS", 10)
    return await live_sign_in(email="admin@example.com", role=Role.ADMIN)


@pytest.fixture(autouse=True)
def no_rate_limit(monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG001 - before the runtime
    monkeypatch.setenv("RATE_LIMIT_DEFAULT", "off")


async def test_of_a_hundred_callers_one_creates_the_flag(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_admin: dict[str, str]
) -> None:
    answers = await asyncio.gather(
        *(live_client.post(ADMIN, headers=live_admin, json={"key": "editor"}) for _ in range(CALLERS))
    )

    assert sorted(answer.status_code for answer in answers) == [201, *[409] * (CALLERS - 1)]
    assert await read_revision(live_runtime.database) == 1


async def test_a_hundred_callers_do_not_exceed_the_maximum(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_admin: dict[str, str]
) -> None:
    answers = await asyncio.gather(
        *(live_client.post(ADMIN, headers=live_admin, json={"key": f"flag-{n}"}) for n in range(CALLERS))
    )

    assert sorted(answer.status_code for answer in answers) == [*[201] * 10, *[409] * (CALLERS - 10)]
    async with live_runtime.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(FeatureFlag)) == 10


async def test_a_hundred_callers_add_each_user_once(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_admin: dict[str, str]
) -> None:
    flag = await create_flag(live_runtime, "editor", {"listed": True})
    users = await create_users(live_runtime, CALLERS // 2)

    answers = await asyncio.gather(
        *(
            live_client.post(f"{ADMIN}/{flag.id}/add-user", headers=live_admin, json={"user_id": str(user_id)})
            for user_id in users * 2
        )
    )

    assert {answer.status_code for answer in answers} == {200}
    async with live_runtime.database.reading() as session:
        assert await session.scalar(select(func.count()).select_from(FeatureFlagUser)) == len(users)
    assert all([await live_runtime.flags.enabled("editor", user_id) for user_id in users])


async def fill_list(runtime: Runtime, flag_id: UUID, count: int) -> None:
    """Put users with the ids from 1 to `count` into a list."""
    common = {"id": "{key}", "created_at": ":now", "updated_at": ":now"}
    await fill(runtime.database, "users", common | {"role": "'user'", "is_active": "true"}, count)
    flag = f"'{flag_id}'::uuid" if runtime.database.engine.dialect.name == "postgresql" else f"'{flag_id.hex}'"
    await fill(runtime.database, "feature_flag_users", common | {"user_id": "{key}", "flag_id": flag}, count)


async def test_a_list_of_a_hundred_thousand_users_is_looked_up_by_indexes(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_admin: dict[str, str]
) -> None:
    flags = live_runtime.resource(FeatureFlags)
    flag = await create_flag(live_runtime, "editor", {"listed": True})
    await fill_list(live_runtime, flag.id, 100_000)
    assert (await flags.store.snapshot()).lists is None

    with selects_of(live_runtime.database) as sent:
        found = [await flags.enabled("editor", UUID(int=number)) for number in (1, 77, 100_000, 100_001)]
        for path in ("", f"/{flag.id}", f"/{flag.id}/users", f"/check/editor?user_id={UUID(int=5)}"):
            answer = await live_client.get(ADMIN + path, headers=live_admin)
            assert answer.status_code == 200, answer.text
    own = [each for each in sent if "feature_flag_users" in each[0]]
    plans = [await explain(live_runtime.database, *each) for each in own]

    assert found == [True, True, True, False]
    assert len(own) == 6
    # The total of the list of users counts them all.
    looked_up = [plan for plan, (statement, _) in zip(plans, own, strict=True) if "OVER ()" not in statement]
    assert not any("Seq Scan" in plan or "SCAN feature_flag_users" in plan for plan in looked_up), plans
