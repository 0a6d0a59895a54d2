"""Random histories: however notifications arrive, the stored state ends equal to the state in Google Play.

pytest tests/google_iap/test_histories.py --hypothesis-profile thorough --hypothesis-seed 1
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from app.core.rate_limiting.port import Verdict
from app.core.runtime import Runtime
from app.dev.servers.google_play.store import ApiError
from app.dev.servers.google_play.subscriptions import State, Subscription, Subscriptions
from app.google_iap.google_play import GooglePlay
from app.google_iap.jobs import poll_voided_google_purchases
from app.google_iap.models import GooglePurchase
from app.kit.resilience.resilient import Resilient
from app.payments import reconciliation
from app.payments.models import Subscription as Stored
from app.payments.reconciliation import reconcile_provider
from tests.conftest import SignIn
from tests.core.inbox.shop import handle
from tests.core.inbox.webhook_contract import drain_inbox
from tests.google_iap.conftest import ENTERPRISE, MONTHLY, YEARLY, Postman, identity, link
from tests.google_iap.test_states import whole

_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FEW = settings(max_examples=5, deadline=None, suppress_health_check=_CHECKS, database=None)
THOROUGH = settings(FEW, max_examples=500)
CHOSEN = THOROUGH if settings.get_current_profile_name() == "thorough" else FEW

PRODUCTS: Final = (MONTHLY, YEARLY, ENTERPRISE)
LIVE: Final = {State.ACTIVE}
PAID: Final = {State.ACTIVE, State.CANCELED}
UNPAID: Final = {State.IN_GRACE_PERIOD, State.ON_HOLD}
CHANGES: Final = {
    "cancel": LIVE,
    "restore": {State.CANCELED},
    "pause": LIVE,
    "extend": LIVE,
    "decline_payments": LIVE,
    "accept_payments": LIVE | UNPAID,
    "revoke": PAID | UNPAID,
    "charge_back": PAID,
    "resubscribe": {State.CANCELED, State.EXPIRED},
    "complete_payment": {State.PENDING},
    "cancel_payment": {State.PENDING},
}
"""The changes without an argument, and the states in which Google Play allows them."""

STEPS: Final = st.one_of(
    st.tuples(st.sampled_from(["buy", "order"]), st.sampled_from([None, 0, 1]), st.sampled_from(PRODUCTS)),
    st.tuples(st.just("link"), st.integers(0, 5), st.integers(0, 1)),
    st.tuples(st.just("replace"), st.integers(0, 5), st.sampled_from(PRODUCTS)),
    st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 5), st.none()),
    st.tuples(st.just("advance"), st.sampled_from([1, 4, 8, 31, 61]), st.none()),
    st.tuples(st.sampled_from(["deliver", "lose"]), st.integers(0, 99), st.none()),
    st.tuples(st.just("outage"), st.none(), st.none()),
)


class Unlimited:
    """A limiter that allows everything: a history is a day of one user, many times over."""

    async def hit(self, rate: str, key: str) -> Verdict:  # noqa: ARG002 - the port's signature
        return Verdict(allowed=True, limit=1, remaining=1, reset=1)


@dataclass
class World:
    """The application, the fake and two users."""

    runtime: Runtime
    client: httpx.AsyncClient
    postman: Postman
    headers: list[dict[str, str]]
    users: list[UUID]
    paid_until: dict[str, datetime] = field(default_factory=dict)
    owners: dict[str, UUID] = field(default_factory=dict)
    """The first user of a purchase that names none, by its token."""
    replaced: set[str] = field(default_factory=set)

    @property
    def state(self) -> Subscriptions:
        return self.postman.store.state

    @property
    def items(self) -> list[Subscription]:
        return list(self.state.items.values())

    async def begin(self) -> None:
        """Forget the last history."""
        self.postman.store.reset()
        self.postman.mailbag.clear()
        for memory in (self.owners, self.paid_until, self.replaced):
            memory.clear()
        async with self.runtime.database.transaction() as session:
            await session.execute(delete(Stored))
            await session.execute(delete(GooglePurchase))

    async def step(self, name: str, first: object, second: object) -> None:
        """Take a step, if it is possible."""
        if name == "outage":
            self.postman.store.fault = None if self.postman.store.fault else ApiError(503, "backendError")
        elif name in {"deliver", "lose"}:
            await self.post(Random(str(first)), lost=name == "lose")  # noqa: S311 - a shuffle
        elif name == "link":
            await self.link(first, second)
        else:
            with self.postman.store.changing():
                self.change(name, first, second)
        for item in self.items:
            if item.expires is not None:
                self.paid_until[item.token] = max(item.expires, self.paid_until.get(item.token, item.expires))

    def change(self, name: str, first: object, second: object) -> None:
        """Change something in Google Play."""
        if name == "advance":
            self.state.advance(timedelta(days=int(str(first))))
        elif name in {"buy", "order"}:
            account = None if first is None else str(self.users[int(str(first))])
            self.state.buy(str(second), account=account, pending=name == "order")
        elif self.items:
            item = self.items[int(str(first)) % len(self.items)]
            if item.state not in CHANGES.get(name, LIVE):
                return
            if name in {"replace", "resubscribe"}:
                # A purchase is replaced once.
                if item.token in self.replaced:
                    return
                self.replaced.add(item.token)
            getattr(self.state, name)(item, *([str(second)] if second else []))

    async def link(self, number: object, user: object) -> None:
        """Link a purchase, as a device does."""
        if not self.items:
            return
        item, who = self.items[int(str(number)) % len(self.items)], int(str(user))
        response = await link(self.client, self.headers[who], item.token)
        row = await self.postman.stored(item)
        if response.status_code in {200, 409}:
            assert row is not None
            assert (row.user_id == self.users[who]) == response.is_success
        else:
            # Google forgets a purchase 60 days after its end.
            assert response.status_code == (503 if self.postman.store.fault else 404)

    async def post(self, random: Random, *, lost: bool) -> None:
        """Deliver what was sent: in any order, some twice. Or lose one notification."""
        bag = self.postman.mailbag
        if lost:
            if bag:
                bag.pop(random.randrange(len(bag)))
            return
        batch = [*bag, *random.sample(bag, len(bag) // 2)]
        random.shuffle(batch)
        await self.postman.deliver(batch)

    async def check(self) -> None:
        """Check that no access lasts longer than what was ever paid for, and that a purchase keeps its user."""
        for item in self.items:
            row = await self.postman.stored(item)
            if row is None:
                continue
            assert row.access_until is None or row.access_until <= self.paid_until[item.token]
            if row.user_id is not None:
                self.owners.setdefault(item.token, UUID(item.account) if item.account else row.user_id)
            assert row.user_id == self.owners.get(item.token)

    async def settle(self) -> None:
        """Let everything arrive that can, and reconcile."""
        self.postman.store.fault = None
        await self.post(Random(0), lost=False)  # noqa: S311
        await drain_inbox(self.runtime)
        await handle(self.runtime)
        await poll_voided_google_purchases(self.runtime)
        outcome = await reconcile_provider(self.runtime, self.runtime.resource(GooglePlay).provider)
        assert outcome.failed == 0


@pytest.fixture
async def world(
    runtime: Runtime,
    client: httpx.AsyncClient,
    postman: Postman,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    monkeypatch.setattr(reconciliation, "CONCURRENCY", 1)
    monkeypatch.setattr(runtime, "limiter", Unlimited())
    # An outage is over at once: the circuit never opens.
    patient = Resilient("Google Play", transient=Exception, attempts=1, threshold=1_000_000)
    monkeypatch.setattr(runtime.resource(GooglePlay).api, "_calls", patient)
    headers = [await sign_in(email=f"{name}@example.com") for name in ("ada", "bob")]
    users = [await identity(client, each) for each in headers]
    return World(runtime=runtime, client=client, postman=postman, headers=headers, users=users)


@CHOSEN
@given(history=st.lists(STEPS, min_size=3, max_size=14))
async def test_every_history_converges(world: World, history: list[tuple[str, object, object]]) -> None:
    await world.begin()
    for step in history:
        await world.step(*step)
        await world.check()
    await world.settle()

    await world.check()
    voided = {each.order for each in world.state.voided}
    for item in world.items:
        row = await world.postman.stored(item)
        # A purchase whose notifications were all lost, and that no user linked, is not known.
        if row is not None:
            has_access = item.state in PAID | {State.IN_GRACE_PERIOD} and item.order not in voided
            assert row.access_until == (whole(item.expires) if has_access else None)
            assert row.product == item.product
