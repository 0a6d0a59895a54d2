"""Plans with small limits, a clock that can be moved, and subscriptions that a test sets."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.plans.catalog import Measure, PlanCatalog
from app.plans.entitlements import Entitlement
from app.plans.quotas import PlanQuotas
from tests.conftest import ME, SignIn

PLANS = Path(__file__).with_name("plans.toml")


@dataclass
class Subscriptions:
    """Subscriptions, by user."""

    by_user: dict[UUID, Entitlement] = field(default_factory=dict)

    async def current(self, session: AsyncSession, user_id: UUID, now: datetime) -> Entitlement | None:
        """See `Entitlements.current`."""
        assert session.is_active
        assert now.tzinfo is UTC
        return self.by_user.get(user_id)

    def subscribe(self, user_id: UUID, plan: str, start: datetime, end: datetime) -> None:
        """Subscribe a user to a plan."""
        self.by_user[user_id] = Entitlement(plan=plan, period_start=start, period_end=end)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default_factory=utc_now)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@dataclass(frozen=True)
class Limited:
    """Quotas with the limits of tests/plans/plans.toml: 10 calls and 10 things.

    Attributes:
        measures: how levels are measured. At first, all are only counted.
    """

    plans: PlanQuotas
    measures: dict[str, Measure]
    subscriptions: Subscriptions
    clock: Clock


def limit(runtime: Runtime) -> Limited:
    """Give the application the plans of the tests."""
    subscriptions, clock = Subscriptions(), Clock()
    measures: dict[str, Measure] = {}
    catalog = replace(PlanCatalog.load(PLANS), measures=measures)
    limited = Limited(PlanQuotas(catalog, subscriptions, clock), measures, subscriptions, clock)
    runtime.provide(PlanCatalog, catalog)
    runtime.plans = limited.plans
    return limited


@pytest.fixture
def limited(runtime: Runtime) -> Limited:
    """The application with the plans of the tests."""
    return limit(runtime)


@pytest.fixture
async def user_id(client: httpx.AsyncClient, sign_in: SignIn) -> UUID:
    """A user on the default plan."""
    return UUID((await client.get(ME, headers=await sign_in())).json()["id"])


@pytest.fixture
async def live_user_id(live_client: httpx.AsyncClient, live_sign_in: SignIn) -> UUID:
    """A user in a database of its own."""
    return UUID((await live_client.get(ME, headers=await live_sign_in())).json()["id"])
