"""Many changes at the same time, with real transactions, and many rows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, DateTime, Uuid, bindparam, event, func, select, text

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.feature_flags import service
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.models import FeatureFlag, FeatureFlagUser
from app.feature_flags.snapshot import read_revision
from app.users.roles import Role
from tests.conftest import SignIn
from tests.feature_flags.conftest import ADMIN, create_flag, create_users

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


FILL: Final = {
    "postgresql": "lpad(to_hex(number), 32, '0')::uuid",
    "sqlite": "printf('%032x', number)",
}
"""The id of a user by number, in each database's own expression."""


async def fill_list(runtime: Runtime, flag_id: UUID, count: int) -> None:
    """Put users with the ids from 1 to `count` into a list."""
    async with runtime.database.transaction() as session:
        id_ = FILL[session.get_bind().dialect.name]
        numbers = f"WITH RECURSIVE n(number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM n WHERE number < {count})"  # noqa: S608
        times = bindparam("now", utc_now(), type_=DateTime(timezone=True))
        flag = bindparam("flag", flag_id, type_=Uuid())
        for statement, values in (
            ("users (id, created_at, updated_at, role, is_active)", f"{id_}, :now, :now, 'user', true"),
            ("feature_flag_users (id, created_at, updated_at, user_id, flag_id)", f"{id_}, :now, :now, {id_}, :flag"),
        ):
            insert = text(f"INSERT INTO {statement} {numbers} SELECT {values} FROM n")  # noqa: S608
            await session.execute(insert.bindparams(*([times, flag] if ":flag" in values else [times])))
        await session.execute(text("ANALYZE"))


@contextmanager
def selects_of(runtime: Runtime) -> Iterator[list[tuple[str, Any]]]:
    """The reading statements that are sent to the database during the block, with their parameters."""
    engine = runtime.database.engine.sync_engine
    seen: list[tuple[str, Any]] = []

    def note(_connection: Connection, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:  # noqa: ANN401
        if statement.startswith("SELECT"):
            seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def explain(runtime: Runtime, statement: str, parameters: Any) -> str:  # noqa: ANN401 - as the driver has them
    """Return the plan of a statement."""
    engine = runtime.database.engine
    command = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql(f"{command} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)


async def test_a_list_of_a_hundred_thousand_users_is_looked_up_by_indexes(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_admin: dict[str, str]
) -> None:
    flags = live_runtime.resource(FeatureFlags)
    flag = await create_flag(live_runtime, "editor", {"listed": True})
    await fill_list(live_runtime, flag.id, 100_000)
    assert (await flags.store.snapshot()).lists is None

    with selects_of(live_runtime) as sent:
        found = [await flags.enabled("editor", UUID(int=number)) for number in (1, 77, 100_000, 100_001)]
        for path in ("", f"/{flag.id}", f"/{flag.id}/users", f"/check/editor?user_id={UUID(int=5)}"):
            answer = await live_client.get(ADMIN + path, headers=live_admin)
            assert answer.status_code == 200, answer.text
    own = [each for each in sent if "feature_flag_users" in each[0]]
    plans = [await explain(live_runtime, *each) for each in own]

    assert found == [True, True, True, False]
    assert len(own) == 6
    # The total of the list of users counts them all.
    looked_up = [plan for plan, (statement, _) in zip(plans, own, strict=True) if "OVER ()" not in statement]
    assert not any("Seq Scan" in plan or "SCAN feature_flag_users" in plan for plan in looked_up), plans
