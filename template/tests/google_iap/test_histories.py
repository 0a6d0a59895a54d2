"""Random histories: however notifications arrive, the stored state ends equal to the state in Google Play.

HYPOTHESIS_PROFILE=thorough pytest tests/google_iap/test_histories.py --hypothesis-seed 1
"""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Final, override
from uuid import UUID

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.core.runtime import Runtime
from app.dev.servers.google_play.objects import State, Subscription
from app.dev.servers.google_play.store import ApiError, GooglePlay
from app.google_iap.google_play import GooglePlay as Connection
from app.google_iap.jobs import acknowledge_google_purchases, poll_voided_google_purchases
from app.google_iap.models import id_of
from tests.conftest import SignIn
from tests.core.inbox.shop import handle
from tests.core.inbox.webhook_contract import drain_inbox
from tests.google_iap.conftest import Postman, Push, link
from tests.google_iap.test_states import whole
from tests.payments.histories import histories, undone
from tests.payments.store_histories import PRODUCTS, Step, StoreWorld, steps, two_buyers
from tests.payments.store_purchases import MONTHLY

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

STEPS: Final = steps(
    CHANGES,
    [1, 4, 8, 31, 61],
    st.tuples(st.sampled_from(["buy", "order"]), st.sampled_from([None, 0, 1]), st.sampled_from(PRODUCTS)),
    st.tuples(st.just("replace"), st.integers(0, 5), st.sampled_from(PRODUCTS)),
    st.tuples(st.just("transfer"), st.integers(0, 5), st.sampled_from([0, 1])),
)
OVERTAKEN: Final[list[Step]] = [("buy", 0, MONTHLY), ("deliver", 0, None), ("overtake", 0, ("revoke", 0, None))]
TRANSFERRED: Final[list[Step]] = [
    ("buy", 0, MONTHLY),
    ("deliver", 0, None),
    ("transfer", 0, 1),
    ("link", 0, 0),
    ("link", 1, 1),
    ("transfer", 1, 0),
    ("deliver", 0, None),
]
"""Google Play changes no purchase's account: another user replaces it by a purchase of their own."""
UNACKNOWLEDGED: Final[list[Step]] = [
    ("buy", None, MONTHLY),
    ("link", 0, 0),
    ("outage", None, None),
    ("deliver", 0, None),
]
"""The outage lasts longer than the attempts of the job that acknowledges the purchase."""
UNPROCESSED: Final[list[Step]] = [
    ("buy", 0, MONTHLY),
    ("outage", None, None),
    ("deliver", 0, None),
    ("attempt_all", None, None),
]
"""The outage lasts longer than the attempts at the only notification of a purchase."""


@dataclass(repr=False)
class World(StoreWorld[GooglePlay, Subscription, Push]):
    """The application, the fake Google Play and two users."""

    owners: dict[str, UUID] = field(default_factory=dict)
    """The first user of a purchase that names none, by its token."""
    replaced: set[str] = field(default_factory=set)

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
        return id_of(item.token)

    @override
    def ends_of(self, item: Subscription) -> list[datetime]:
        return [] if item.expires is None else [item.expires]

    @override
    def begin(self) -> None:
        super().begin()
        self.owners.clear()
        self.replaced.clear()

    @override
    def change(self, name: str, first: Any, second: Any) -> None:
        store, state = self.postman.store, self.postman.store.state
        if name == "outage":
            store.fault = None if store.fault else ApiError(503, "backendError")
        elif name in {"buy", "order"}:
            account = None if first is None else str(self.users[first])
            state.buy(second, account=account, pending=name == "order")
        elif self.items:
            item = self.items[first % len(self.items)]
            if item.state not in CHANGES.get(name, LIVE):
                return
            if name in {"replace", "resubscribe", "transfer"}:
                # A purchase is replaced once.
                if item.token in self.replaced:
                    return
                self.replaced.add(item.token)
            if name == "transfer":
                state.buy(item.product, account=str(self.users[second]), test=item.test, linked=item.token)
                return
            getattr(state, name)(item, *([second] if second else []))

    @override
    async def link(self, item: Subscription, who: int) -> None:
        response = await link(self.client, self.headers[who], item.token)
        row = await self.stored(item)
        if response.status_code in {200, 409}:
            assert row is not None
            assert (row.user_id == self.users[who]) == response.is_success
        else:
            # Google forgets a purchase 60 days after its end.
            assert response.status_code == (503 if self.postman.store.fault else 404)

    @override
    def lost(self, letter: Push) -> None:
        """Do nothing: Google Play cannot send it again."""

    async def check(self) -> None:
        """Check that no access lasts longer than what was ever paid for, and that a purchase keeps its user."""
        for item in self.items:
            row = await self.stored(item)
            if row is None:
                continue
            if row.user_id is not None:
                self.owners.setdefault(item.token, UUID(item.account) if item.account else row.user_id)
            assert row.user_id == self.owners.get(item.token)

    async def settle(self) -> None:
        """Let everything arrive that can, and reconcile."""
        self.postman.store.fault = None
        await self.post(Random(0), lost=False)  # noqa: S311
        await drain_inbox(self.runtime)
        await handle(self.runtime)
        await self.reconcile()
        await acknowledge_google_purchases(self.runtime)
        await poll_voided_google_purchases(self.runtime)
        await self.reconcile()


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
@example(history=UNACKNOWLEDGED)
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
        voided = {each.order for each in world.postman.store.state.voided}
        for item in world.items:
            row = await world.stored(item)
            # A purchase whose notifications were all lost, and that no user linked, is not known.
            if row is not None:
                has_access = item.state in PAID | {State.IN_GRACE_PERIOD} and item.order not in voided
                assert row.access_until == (whole(item.expires) if has_access else None)
                assert row.product == item.product
                # Google refunds what is not acknowledged within three days.
                assert item.acknowledged or row.user_id is None or not has_access
