"""Random histories: however notifications arrive, what is stored ends equal to what the App Store says.

pytest tests/apple_iap/test_histories.py --hypothesis-profile thorough --hypothesis-seed 1
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final
from uuid import UUID

import httpx
import jwt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.apple_iap.app_store import AppStore as Connection
from app.apple_iap.jobs import recover_apple_notifications
from app.core.rate_limiting.port import Verdict
from app.core.runtime import Runtime
from app.dev.servers.app_store.subscriptions import Status, Subscription, Subscriptions
from app.kit.resilience.resilient import Resilient
from app.payments import reconciliation
from app.payments.reconciliation import reconcile_provider
from tests.apple_iap.conftest import ENTERPRISE, LINK, MONTHLY, YEARLY, Postman, identity
from tests.apple_iap.test_states import whole
from tests.conftest import SignIn
from tests.core.inbox.webhook_contract import drain_inbox

_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
FEW = settings(max_examples=5, deadline=None, suppress_health_check=_CHECKS, database=None)
THOROUGH = settings(FEW, max_examples=500)
CHOSEN = THOROUGH if settings.get_current_profile_name() == "thorough" else FEW

PRODUCTS: Final = (MONTHLY, YEARLY, ENTERPRISE)
LIVE: Final = {Status.ACTIVE}
UNPAID: Final = {Status.GRACE_PERIOD, Status.BILLING_RETRY}
CHANGES: Final = {
    "cancel": LIVE,
    "resume": LIVE,
    "extend": LIVE,
    "refund": LIVE,
    "decline_payments": LIVE,
    "raise_price": LIVE,
    "consent": LIVE,
    "accept_payments": LIVE | UNPAID,
    "reverse_refund": {Status.REVOKED},
    "resubscribe": {Status.EXPIRED},
}
"""The changes without an argument, and the states in which the App Store allows them."""

STEPS: Final = st.one_of(
    st.tuples(st.just("buy"), st.sampled_from([None, 0, 1]), st.sampled_from(PRODUCTS)),
    st.tuples(st.just("link"), st.integers(0, 5), st.integers(0, 1)),
    st.tuples(st.sampled_from(["upgrade", "downgrade"]), st.integers(0, 5), st.sampled_from(PRODUCTS)),
    st.tuples(st.sampled_from(sorted(CHANGES)), st.integers(0, 5), st.none()),
    st.tuples(st.just("advance"), st.sampled_from([1, 10, 17, 31, 61]), st.none()),
    st.tuples(st.sampled_from(["deliver", "lose"]), st.integers(0, 99), st.none()),
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
    owners: dict[str, int] = field(default_factory=dict)
    """The users who linked purchases that name no user, by the purchases' ids."""

    @property
    def state(self) -> Subscriptions:
        return self.postman.store.state

    @property
    def items(self) -> list[Subscription]:
        return list(self.state.items.values())

    def begin(self) -> None:
        """Forget the last history. Its rows stay in the database."""
        last = self.state.last_id
        self.postman.store.reset()
        self.state.last_id = last
        self.postman.mailbag.clear()
        self.owners.clear()

    async def step(self, name: str, first: object, second: object) -> None:
        """Take a step, if it is possible."""
        if name in {"deliver", "lose"}:
            await self.post(Random(str(first)), lost=name == "lose")  # noqa: S311 - a shuffle
        elif name == "link":
            await self.link(first, second)
        else:
            with self.postman.store.changing():
                self.change(name, first, second)
        for item in self.items:
            ends = [item.expires, *([item.grace_end] if item.grace_end else [])]
            self.paid_until[item.original_id] = max(*ends, self.paid_until.get(item.original_id, item.expires))

    def change(self, name: str, first: object, second: object) -> None:
        """Change something in the App Store."""
        if name == "advance":
            self.state.advance(timedelta(days=int(str(first))))
        elif name == "buy":
            self.state.buy(str(second), account=None if first is None else str(self.users[int(str(first))]))
        elif self.items:
            item = self.items[int(str(first)) % len(self.items)]
            if item.status in CHANGES.get(name, LIVE):
                getattr(self.state, name)(item, *([str(second)] if second else []))

    async def link(self, number: object, user: object) -> None:
        """Link a purchase, as a device does."""
        if not self.items:
            return
        item, who = self.items[int(str(number)) % len(self.items)], int(str(user))
        body = {"signed_transaction": self.postman.store.signed_transaction(item)}
        response = await self.client.post(LINK, json=body, headers=self.headers[who])
        owner = self.users.index(UUID(item.account)) if item.account else self.owners.get(item.original_id, who)
        if response.is_success:
            self.owners.setdefault(item.original_id, who)
        assert response.status_code == (200 if owner == who else 409)

    async def post(self, random: Random, *, lost: bool) -> None:
        """Deliver what was sent: in any order, some twice. Or lose one notification."""
        bag = self.postman.mailbag
        if lost:
            if bag:
                self.lost(bag.pop(random.randrange(len(bag))))
            return
        batch = [*bag, *random.sample(bag, len(bag) // 2)]
        random.shuffle(batch)
        await self.postman.deliver(batch)

    def lost(self, signed: str) -> None:
        """Let the App Store know that a notification failed."""
        store = self.postman.store
        number = next(n for n, each in enumerate(store.state.notifications) if each.id == uuid_of(signed))
        store.failed.add(store.state.notifications[number].id)

    async def check(self) -> None:
        """Check that no access lasts longer than what was ever paid for, and that each row has its owner."""
        for item in self.items:
            row = await self.postman.stored(item)
            if row is None:
                continue
            assert row.access_until is None or row.access_until <= self.paid_until[item.original_id]
            owner = self.owners.get(item.original_id)
            expected = UUID(item.account) if item.account else None if owner is None else self.users[owner]
            assert row.user_id == expected

    async def settle(self) -> None:
        """Let everything arrive that can, and reconcile."""
        await self.post(Random(0), lost=False)  # noqa: S311
        await recover_apple_notifications(self.runtime)
        await drain_inbox(self.runtime)
        outcome = await reconcile_provider(self.runtime, self.runtime.resource(Connection).provider)
        assert outcome.failed == 0


def uuid_of(signed: str) -> str:
    """Return the id of a notification."""
    return str(jwt.decode(signed, options={"verify_signature": False})["notificationUUID"])


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
    patient = Resilient("App Store", transient=Exception, attempts=1, threshold=1_000_000)
    monkeypatch.setattr(runtime.resource(Connection).api, "_calls", patient)
    headers = [await sign_in(email=f"{name}@example.com") for name in ("ada", "bob")]
    users = [await identity(client, each) for each in headers]
    return World(runtime=runtime, client=client, postman=postman, headers=headers, users=users)


@CHOSEN
@given(history=st.lists(STEPS, min_size=3, max_size=14))
async def test_every_history_converges(world: World, history: list[tuple[str, object, object]]) -> None:
    world.begin()
    for step in history:
        await world.step(*step)
        await world.check()
    await world.settle()

    await world.check()
    for item in world.items:
        row = await world.postman.stored(item)
        assert row is not None
        access = {Status.ACTIVE: item.expires, Status.GRACE_PERIOD: item.grace_end}.get(item.status)
        assert row.access_until == whole(access)
        assert (row.product, row.period_end) == (item.product, whole(item.expires))
