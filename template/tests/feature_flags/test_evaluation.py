"""The evaluation of flags: rules, times, the memory of a process, and failures."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update
from sqlmodel import col
from structlog.testing import capture_logs

from app.core.runtime import Runtime
from app.feature_flags import snapshot
from app.feature_flags.evaluation import FeatureFlags, Reason
from app.feature_flags.models import FeatureFlag
from app.feature_flags.rules import in_percentage
from app.feature_flags.store import FlagStore
from tests.feature_flags.conftest import (
    Clock,
    PlansByUser,
    administration_of,
    create_flag,
    create_users,
    list_users,
)
from tests.statements import statements_of

ALL: dict[str, Any] = {"everyone": True}


def inside(key: str, percentage: float) -> UUID:
    """A user's id among the first percent of a flag."""
    return next(user for user in iter(uuid4, None) if in_percentage(key, user, percentage))


def outside(key: str, percentage: float) -> UUID:
    """A user's id that is not among the first percent of a flag."""
    return next(user for user in iter(uuid4, None) if not in_percentage(key, user, percentage))


class TestRules:
    async def test_everyone_includes_anonymous_visitors(self, runtime: Runtime, user_id: UUID) -> None:
        await create_flag(runtime, "banner", ALL)

        assert await runtime.flags.enabled("banner", user_id)
        assert await runtime.flags.enabled("banner", None)

    async def test_a_percentage_chooses_by_the_hash(self, runtime: Runtime) -> None:
        await create_flag(runtime, "editor", {"percentage": 30})

        assert await runtime.flags.enabled("editor", inside("editor", 30))
        assert not await runtime.flags.enabled("editor", outside("editor", 30))
        assert not await runtime.flags.enabled("editor", None)

    async def test_a_list_contains_its_users_only(self, runtime: Runtime) -> None:
        tester, other = await create_users(runtime, 2)
        flag = await create_flag(runtime, "editor", {"listed": True})

        await list_users(runtime, flag.id, tester)

        assert await runtime.flags.enabled("editor", tester)
        assert not await runtime.flags.enabled("editor", other)

    async def test_a_list_counts_only_for_its_own_flag(self, runtime: Runtime, user_id: UUID) -> None:
        flag = await create_flag(runtime, "editor", {"listed": True})
        await create_flag(runtime, "search", {"listed": True})

        await list_users(runtime, flag.id, user_id)

        assert not await runtime.flags.enabled("search", user_id)

    async def test_a_plan_is_asked_through_the_port(self, runtime: Runtime, user_id: UUID, plans: PlansByUser) -> None:
        plans.by_user[user_id] = "pro"
        await create_flag(runtime, "export", {"plans": ["pro", "team"]})
        await create_flag(runtime, "hints", {"plans": ["free"]})

        assert await runtime.flags.enabled("export", user_id)
        assert not await runtime.flags.enabled("hints", user_id)

    async def test_without_plans_every_user_has_the_free_one(self, runtime: Runtime, user_id: UUID) -> None:
        await create_flag(runtime, "hints", {"plans": ["free"]})

        assert await runtime.flags.enabled("hints", user_id)

    async def test_all_conditions_of_a_rule_must_hold(self, runtime: Runtime, plans: PlansByUser) -> None:
        user, other = inside("editor", 50), outside("editor", 50)
        plans.by_user |= {user: "pro", other: "pro"}
        await create_flag(runtime, "editor", {"plans": ["pro"], "percentage": 50})

        found = [await runtime.flags.enabled("editor", each) for each in (user, other, inside("editor", 50))]

        assert found == [True, False, False]

    async def test_one_matching_rule_is_enough(self, runtime: Runtime, flags: FeatureFlags, plans: PlansByUser) -> None:
        tester, subscriber, other = await create_users(runtime, 3)
        plans.by_user[subscriber] = "pro"
        flag = await create_flag(runtime, "editor", {"listed": True}, {"plans": ["pro"]})
        await list_users(runtime, flag.id, tester)

        found = [await flags.evaluate("editor", each) for each in (tester, subscriber, other)]

        assert [(each.enabled, each.reason, each.rule) for each in found] == [
            (True, Reason.MATCH, 0),
            (True, Reason.MATCH, 1),
            (False, Reason.NO_MATCH, None),
        ]

    async def test_without_rules_it_is_off(self, runtime: Runtime, user_id: UUID) -> None:
        await create_flag(runtime, "editor")

        assert not await runtime.flags.enabled("editor", user_id)

    async def test_a_disabled_flag_is_off(self, runtime: Runtime, flags: FeatureFlags, user_id: UUID) -> None:
        await create_flag(runtime, "editor", ALL, enabled=False)

        assert (await flags.evaluate("editor", user_id)).reason is Reason.DISABLED

    async def test_unreadable_rules_turn_only_their_flag_off(self, runtime: Runtime, user_id: UUID) -> None:
        await create_flag(runtime, "editor", ALL)
        await create_flag(runtime, "search", ALL)
        async with runtime.database.transaction() as session:
            broken = update(FeatureFlag).where(col(FeatureFlag.key) == "editor").values(rules=[{"moon": "full"}])
            await session.execute(broken)

        assert not await runtime.flags.enabled("editor", user_id)
        assert await runtime.flags.enabled("search", user_id)


class TestTimes:
    async def test_the_clock_decides_at_the_evaluation(self, runtime: Runtime, user_id: UUID) -> None:
        clock = Clock()
        flags = FeatureFlags(runtime, FlagStore(runtime), clock)
        start, end = clock.now + timedelta(hours=1), clock.now + timedelta(hours=2)
        await create_flag(runtime, "sale", ALL, starts_at=start, ends_at=end)
        reasons = [(await flags.evaluate("sale", user_id)).reason]
        with statements_of(runtime.database) as sent:
            for time in (start, end - timedelta(microseconds=1), end):
                clock.now = time
                reasons.append((await flags.evaluate("sale", user_id)).reason)

        assert reasons == [Reason.NOT_STARTED, Reason.MATCH, Reason.MATCH, Reason.ENDED]
        assert sent == []


class TestUnknownFlag:
    async def test_is_off_and_logged_once(self, runtime: Runtime, user_id: UUID) -> None:
        with capture_logs() as logs:
            found = [await runtime.flags.enabled("no-such-flag", user_id) for _ in range(3)]

        assert found == [False] * 3
        assert [line["key"] for line in logs if line["event"] == "feature_flag_unknown"] == ["no-such-flag"]


class TestCost:
    async def test_evaluations_send_no_statement(self, runtime: Runtime, user_id: UUID) -> None:
        flag = await create_flag(runtime, "editor", {"percentage": 0}, {"listed": True})
        await list_users(runtime, flag.id, user_id)
        assert await runtime.flags.enabled("editor", user_id)

        with statements_of(runtime.database) as sent:
            found = [await runtime.flags.enabled("editor", each) for each in (user_id, uuid4(), None)]

        assert found == [True, False, False]
        assert sent == []

    async def test_a_plan_is_looked_up_once_and_only_if_a_rule_needs_it(
        self, runtime: Runtime, user_id: UUID, plans: PlansByUser
    ) -> None:
        await create_flag(runtime, "banner", ALL)
        await create_flag(runtime, "editor", {"plans": ["pro"], "percentage": 0})
        await create_flag(runtime, "export", {"plans": ["pro"]})

        before = [await runtime.flags.enabled(key, user_id) for key in ("banner", "editor")], plans.calls
        await asyncio.gather(*(runtime.flags.enabled("export", user_id) for _ in range(100)))

        assert (before, plans.calls) == (([True, False], 0), 1)


class TestLongLists:
    @pytest.fixture(autouse=True)
    def little_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(snapshot, "MAX_LISTED_IN_MEMORY", 2)

    async def test_are_looked_up_once_for_each_user(self, runtime: Runtime, flags: FeatureFlags) -> None:
        *listed, other = await create_users(runtime, 4)
        flag = await create_flag(runtime, "editor", {"listed": True})
        await list_users(runtime, flag.id, *listed)
        assert (await flags.store.snapshot()).lists is None

        with statements_of(runtime.database) as sent:
            found = [await flags.enabled("editor", each) for each in (*listed, other, *listed, other, None)]

        assert found == [*[True] * 3, False, *[True] * 3, False, False]
        assert len(sent) == 4

    @pytest.mark.parametrize("change", ["add", "remove"])
    async def test_a_change_takes_effect_at_once(self, runtime: Runtime, flags: FeatureFlags, change: str) -> None:
        *listed, other = await create_users(runtime, 4)
        flag = await create_flag(runtime, "editor", {"listed": True})
        await list_users(runtime, flag.id, *listed)
        user = other if change == "add" else listed[0]
        before = await flags.enabled("editor", user)

        async with runtime.database.transaction() as session:
            administration = administration_of(runtime, session)
            changing: Callable[..., Awaitable[object]] = (
                administration.add_users if change == "add" else administration.remove_users
            )
            await changing(flag.id, [user])

        assert (before, await flags.enabled("editor", user)) == ((False, True) if change == "add" else (True, False))
