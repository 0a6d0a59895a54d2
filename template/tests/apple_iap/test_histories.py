"""Random histories: however notifications arrive, what is stored ends equal to what the App Store says.

HYPOTHESIS_PROFILE=thorough pytest tests/apple_iap/test_histories.py --hypothesis-seed 1
"""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final, override
from uuid import UUID

import httpx
import jwt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.apple_iap.app_store import AppStore as Connection
from app.apple_iap.jobs import recover_apple_notifications
from app.core.runtime import Runtime
from app.dev.servers.app_store.store import AppStore
from app.dev.servers.app_store.subscriptions import Status, Subscription
from tests.apple_iap.conftest import LINK, Postman
from tests.apple_iap.test_states import whole
from tests.conftest import SignIn
from tests.core.inbox.shop import handle
from tests.core.inbox.webhook_contract import drain_inbox
from tests.payments.histories import histories, undone
from tests.payments.store_histories import PRODUCTS, Step, StoreWorld, steps, two_buyers
from tests.payments.store_purchases import MONTHLY

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

STEPS: Final = steps(
    CHANGES,
    [1, 10, 17, 31, 61],
    st.tuples(st.just("buy"), st.sampled_from([None, 0, 1]), st.sampled_from(PRODUCTS)),
    st.tuples(st.sampled_from(["upgrade", "downgrade"]), st.integers(0, 5), st.sampled_from(PRODUCTS)),
    st.tuples(st.just("transfer"), st.integers(0, 5), st.sampled_from([0, 1])),
)
OVERTAKEN: Final[list[Step]] = [("buy", 0, MONTHLY), ("deliver", 0, None), ("overtake", 0, ("refund", 0, None))]
TRANSFERRED: Final[list[Step]] = [
    ("buy", 0, MONTHLY),
    ("deliver", 0, None),
    ("transfer", 0, 1),
    ("link", 0, 0),
    ("link", 0, 1),
    ("advance", 31, None),
    ("transfer", 0, 0),
]
UNPROCESSED: Final[list[Step]] = [
    ("buy", 0, MONTHLY),
    ("outage", None, None),
    ("deliver", 0, None),
    ("attempt_all", None, None),
]
"""The outage lasts longer than the attempts at the only notification of a purchase."""


@dataclass(repr=False)
class World(StoreWorld[AppStore, Subscription, str]):
    """The application, the fake App Store and two users."""

    owners: dict[str, int] = field(default_factory=dict)
    """The users who linked purchases that name no user, by the purchases' ids."""
    earlier: dict[str, set[UUID | None]] = field(default_factory=dict)
    """The users of transferred purchases before the transfers. The App Store sends no notification of a transfer, so
    they keep the purchase until its state is read again."""

    @property
    @override
    def is_down(self) -> bool:
        return self.postman.store.fault is not None

    @property
    @override
    def items(self) -> list[Subscription]:
        return list(self.postman.store.state.items.values())

    @override
    def id_of(self, item: Subscription) -> str:
        return item.original_id

    @override
    def ends_of(self, item: Subscription) -> list[datetime]:
        return [item.expires, *([item.grace_end] if item.grace_end else [])]

    @override
    def begin(self) -> None:
        last = self.postman.store.state.last_id
        super().begin()
        self.postman.store.state.last_id = last
        self.owners.clear()
        self.earlier.clear()

    @override
    def change(self, name: str, first: Any, second: Any) -> None:
        store, state = self.postman.store, self.postman.store.state
        if name == "outage":
            store.fault = None if store.fault else 503
        elif name == "buy":
            state.buy(second, account=None if first is None else str(self.users[first]))
        elif self.items:
            item = self.items[first % len(self.items)]
            if item.status not in CHANGES.get(name, LIVE):
                return
            if name == "transfer":
                self.earlier.setdefault(item.original_id, set()).add(self.owner(item))
                item.account = str(self.users[second])
            else:
                getattr(state, name)(item, *([second] if second else []))

    @override
    async def link(self, item: Subscription, who: int) -> None:
        body = {"signed_transaction": self.postman.store.signed_transaction(item)}
        response = await self.client.post(LINK, json=body, headers=self.headers[who])
        owner = self.owner(item) or self.users[who]
        if response.is_success:
            self.owners.setdefault(item.original_id, who)
        if not self.is_down:
            assert response.status_code == (200 if owner == self.users[who] else 409)
        else:
            assert response.status_code in {503, 409}

    @override
    def lost(self, letter: str) -> None:
        """Let the App Store know that a notification failed."""
        id_ = jwt.decode(letter, options={"verify_signature": False})["notificationUUID"]
        self.postman.store.failed.add(id_)

    def owner(self, item: Subscription) -> UUID | None:
        """Return the user whom the purchase names, or else the first who linked it."""
        if item.account:
            return UUID(item.account)
        first = self.owners.get(item.original_id)
        return None if first is None else self.users[first]

    async def check(self) -> None:
        """Check that no access lasts longer than what was ever paid for, and that each row has its owner."""
        for item in self.items:
            row = await self.stored(item)
            if row is not None:
                assert row.user_id in {self.owner(item), *self.earlier.get(item.original_id, ())}

    async def settle(self) -> None:
        """Let everything arrive that can, and reconcile."""
        self.postman.store.fault = None
        await self.post(Random(0), lost=False)  # noqa: S311
        await recover_apple_notifications(self.runtime)
        await drain_inbox(self.runtime)
        await handle(self.runtime)
        await self.reconcile()
        self.earlier.clear()


@pytest.fixture
async def world(
    runtime: Runtime,
    client: httpx.AsyncClient,
    postman: Postman,
    sign_in: SignIn,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    connection = runtime.resource(Connection)
    headers, users = await two_buyers(runtime, client, sign_in, monkeypatch, connection.api)
    return World(runtime, client, postman, connection.provider, headers, users)


@histories(5)
@example(history=OVERTAKEN)
@example(history=TRANSFERRED)
@example(history=UNPROCESSED)
@given(history=st.lists(STEPS, min_size=3, max_size=14))
async def test_every_history_converges(world: World, history: list[Step]) -> None:
    async with undone(world.runtime.database):
        world.begin()
        for step in history:
            await world.step(*step)
            await world.check()
        await world.settle()

        await world.check()
        for item in world.items:
            row = await world.stored(item)
            assert row is not None
            access = {Status.ACTIVE: item.expires, Status.GRACE_PERIOD: item.grace_end}.get(item.status)
            assert row.access_until == whole(access)
            assert (row.product, row.period_end) == (item.product, whole(item.expires))
