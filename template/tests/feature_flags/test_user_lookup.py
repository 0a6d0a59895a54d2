"""Facts about users: how long they are kept, and what a failure leaves."""

import asyncio
from dataclasses import dataclass
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from app.feature_flags import user_lookup
from app.feature_flags.user_lookup import UserLookup
from tests.feature_flags.conftest import (
    Seconds,
)


@dataclass
class Facts:
    """Facts that a test sets, and the users who were looked up."""

    value: str = "a"
    failing: bool = False
    calls: int = 0

    async def load(self, user_id: UUID) -> str:
        """Return the fact."""
        assert user_id
        self.calls += 1
        if self.failing:
            raise OSError
        return self.value


class TestUserLookup:
    @pytest.fixture
    def facts(self) -> Facts:
        return Facts()

    @pytest.fixture
    def seconds(self) -> Seconds:
        return Seconds()

    @pytest.fixture
    def lookup(self, facts: Facts, seconds: Seconds) -> UserLookup[str]:
        return UserLookup("fact", facts.load, default="none", lifetime=30, clock=seconds)

    async def test_a_value_is_renewed_after_its_lifetime(
        self, lookup: UserLookup[str], facts: Facts, seconds: Seconds, user_id: UUID
    ) -> None:
        found = [await lookup.get(user_id)]
        facts.value = "b"
        for elapsed in (29, 1):
            seconds.now += elapsed
            found.append(await lookup.get(user_id))

        assert found == ["a", "a", "b"]

    async def test_a_value_of_another_version_is_loaded_again(
        self, lookup: UserLookup[str], facts: Facts, user_id: UUID
    ) -> None:
        before = await lookup.get(user_id, 1)
        facts.value = "b"

        assert (before, await lookup.get(user_id, 1), await lookup.get(user_id, 2)) == ("a", "a", "b")

    async def test_a_failure_keeps_the_last_value_and_is_logged_once(
        self, lookup: UserLookup[str], facts: Facts, seconds: Seconds, user_id: UUID
    ) -> None:
        await lookup.get(user_id)
        facts.failing = True
        with capture_logs() as logs:
            for _ in range(3):
                seconds.now += 60
                assert await lookup.get(user_id) == "a"
        facts.failing, facts.value = False, "b"
        seconds.now += user_lookup.RETRY_INTERVAL

        assert [line["event"] for line in logs] == ["feature_flag_users_not_loaded"]
        assert await lookup.get(user_id) == "b"

    async def test_an_outage_is_not_asked_again_and_again(
        self, lookup: UserLookup[str], facts: Facts, user_id: UUID
    ) -> None:
        facts.failing = True

        assert [await lookup.get(user_id) for _ in range(5)] == ["none"] * 5
        assert facts.calls == 1

    async def test_a_cancelled_caller_leaves_the_value_to_the_others(
        self, lookup: UserLookup[str], facts: Facts, user_id: UUID
    ) -> None:
        callers = [asyncio.create_task(lookup.get(user_id)) for _ in range(3)]
        await asyncio.sleep(0)
        callers[0].cancel()

        assert await asyncio.gather(*callers[1:]) == ["a", "a"]
        assert facts.calls == 1

    async def test_memory_is_bounded(
        self, lookup: UserLookup[str], facts: Facts, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(user_lookup, "MAX_USERS", 2)
        first, second, third = (uuid4() for _ in range(3))
        for user in (first, second, first, third, first, second):
            await lookup.get(user)

        assert facts.calls == 4
