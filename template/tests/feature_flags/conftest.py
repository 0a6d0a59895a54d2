"""Flags, users and plans for the tests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.context import Actor
from app.core.db.models import utc_now
from app.core.ports.plans import FreePlan
from app.core.runtime import Runtime
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.schemas import FlagCreate, FlagRead
from app.feature_flags.service import FlagAdministration
from app.users.models import User
from tests.conftest import ME, SignIn

ADMIN = "/api/v1/admin/feature-flags"
FLAGS = "/api/v1/app/feature-flags"
ACTOR = Actor(id=UUID(int=1), client="test")


@dataclass
class PlansByUser(FreePlan):
    """Plans that a test sets. Users without one have the plan `free`.

    Attributes:
        calls: the number of lookups.
        failing: whether each lookup raises.
    """

    by_user: dict[UUID, str] = field(default_factory=dict)
    calls: int = 0
    failing: bool = False

    async def plan_of(self, session: AsyncSession, user_id: UUID) -> str:
        """See `Plans.plan_of`."""
        assert session.is_active
        self.calls += 1
        if self.failing:
            raise OSError
        return self.by_user.get(user_id, "free")


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=utc_now)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@dataclass
class Seconds:
    """A monotonic clock that stands still until it is moved."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def administration_of(runtime: Runtime, session: AsyncSession) -> FlagAdministration:
    """Return the administration of flags in a session's transaction."""
    store = runtime.resource(FeatureFlags).store
    return FlagAdministration(session=session, audit=runtime.audit, store=store, actor=ACTOR)


async def create_flag(runtime: Runtime, key: str, *rules: Mapping[str, Any], **values: Any) -> FlagRead:  # noqa: ANN401
    """Create a flag, which is enabled unless the values say otherwise."""
    data = FlagCreate.model_validate({"key": key, "enabled": True, "rules": list(rules), **values})
    async with runtime.database.transaction() as session:
        return await administration_of(runtime, session).create(data)


async def list_users(runtime: Runtime, flag_id: UUID, *user_ids: UUID) -> None:
    """Add users to a flag's list."""
    async with runtime.database.transaction() as session:
        await administration_of(runtime, session).add_users(flag_id, user_ids)


async def create_users(runtime: Runtime, count: int) -> list[UUID]:
    """Create users and return their ids."""
    users = [User(email=f"user-{number}@example.com") for number in range(count)]
    async with runtime.database.transaction() as session:
        session.add_all(users)
    return [user.id for user in users]


@pytest.fixture
def flags(runtime: Runtime) -> FeatureFlags:
    """The evaluation of flags."""
    return runtime.resource(FeatureFlags)


@pytest.fixture
async def user_id(runtime: Runtime) -> UUID:
    """A user."""
    (user_id,) = await create_users(runtime, 1)
    return user_id


@pytest.fixture
def plans(runtime: Runtime) -> PlansByUser:
    """The plans of users."""
    runtime.plans = plans = PlansByUser()
    return plans


@pytest.fixture
async def user(sign_in: SignIn) -> dict[str, str]:
    """The headers of a user."""
    return await sign_in(email="user@example.com")


async def id_of_caller(client: httpx.AsyncClient, headers: dict[str, str]) -> UUID:
    """Return the id of a signed-in user."""
    return UUID((await client.get(ME, headers=headers)).json()["id"])
