"""Random histories of purchases in an app store, for the tests of each store."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final, Protocol
from uuid import UUID

import httpx
import pytest
from hypothesis import strategies as st
from hypothesis.vendor.pretty import RepresentationPrinter

from app.core.rate_limiting.port import Verdict
from app.core.runtime import Runtime
from app.kit.resilience.resilient import Resilient
from app.payments import reconciliation
from app.payments.models import Subscription as Stored
from app.payments.port import BillingProvider
from app.payments.reconciliation import reconcile_provider
from app.payments.repository import SubscriptionRepository
from tests.conftest import SignIn
from tests.payments.histories import attempt_all, overtake
from tests.payments.store_purchases import ENTERPRISE, MONTHLY, YEARLY, StorePostman, identity

PRODUCTS: Final = (MONTHLY, YEARLY, ENTERPRISE)

type Step = tuple[str, Any, Any]
"""The name of a step and its arguments."""


class Unlimited:
    """A limiter that allows everything: a history is a day of one user, many times over."""

    async def hit(self, rate: str, key: str) -> Verdict:  # noqa: ARG002 - the port's signature
        """Allow it."""
        return Verdict(allowed=True, limit=1, remaining=1, reset=1)


class State(Protocol):
    """The subscriptions of a fake."""

    def advance(self, duration: timedelta) -> None:
        """Let time pass."""
        ...


class Store[S: State](Protocol):
    """A fake store."""

    state: S

    def reset(self) -> None:
        """Forget everything."""
        ...

    def changing(self) -> AbstractContextManager[S]:
        """Change the subscriptions, and then deliver the notifications."""
        ...


def steps(changes: Iterable[str], days: Sequence[int], *others: st.SearchStrategy[Step]) -> st.SearchStrategy[Step]:
    """Return the steps of a history.

    Args:
        changes: the names of changes of one subscription, without another argument.
        days: the times to wait.
        others: the steps of one store.
    """
    number, user = st.integers(0, 5), st.integers(0, 1)
    change: st.SearchStrategy[Step] = st.tuples(st.sampled_from(sorted(changes)), number, st.none())
    wait: st.SearchStrategy[Step] = st.tuples(st.just("advance"), st.sampled_from(days), st.none())
    return st.one_of(
        *others,
        st.tuples(st.just("link"), number, user),
        change,
        wait,
        st.tuples(st.just("overtake"), number, change | wait),
        st.tuples(st.sampled_from(["deliver", "lose"]), st.integers(0, 99), st.none()),
        st.tuples(st.sampled_from(["outage", "attempt_all"]), st.none(), st.none()),
    )


@dataclass(repr=False)
class StoreWorld[S: Store[Any], Item, Letter](ABC):
    """The application, the fake of a store and two users.

    Attributes:
        provider: the store as the application knows it.
        paid_until: the latest time until which a subscription was ever paid for, by its id.
    """

    runtime: Runtime
    client: httpx.AsyncClient
    postman: StorePostman[S, Letter]
    provider: BillingProvider
    headers: list[dict[str, str]]
    users: list[UUID]
    paid_until: dict[str, datetime] = field(default_factory=dict)

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        """Print a short text for a test that fails, instead of every field."""
        printer.text(type(self).__name__)

    @property
    def is_down(self) -> bool:
        """Whether the store does not answer now, so that jobs may fail."""
        return False

    @property
    @abstractmethod
    def items(self) -> list[Item]:
        """The subscriptions in the store."""

    @abstractmethod
    def id_of(self, item: Item) -> str:
        """Return the id of a subscription, as the application stores it."""

    @abstractmethod
    def ends_of(self, item: Item) -> list[datetime]:
        """Return the times until which a subscription is paid for now."""

    @abstractmethod
    def change(self, name: str, first: Any, second: Any) -> None:  # noqa: ANN401 - of any step
        """Change something in the store, other than its clock."""

    @abstractmethod
    async def link(self, item: Item, who: int) -> None:
        """Link a purchase, as a device does."""

    @abstractmethod
    def lost(self, letter: Letter) -> None:
        """Note that a notification did not arrive."""

    def begin(self) -> None:
        """Forget the last history."""
        self.postman.store.reset()
        self.postman.mailbag.clear()
        self.paid_until.clear()

    async def step(self, name: str, first: Any, second: Any) -> None:  # noqa: ANN401 - of any step
        """Take a step, if it is possible."""
        if name in {"deliver", "lose"}:
            await self.post(Random(first), lost=name == "lose")  # noqa: S311 - a shuffle
        elif name == "attempt_all":
            await attempt_all(self.runtime)
        elif name in {"link", "overtake"}:
            if self.items:
                item = self.items[first % len(self.items)]
                await (self.link(item, second) if name == "link" else self.overtake(item, second))
        else:
            self.change_store(name, first, second)
        for item in self.items:
            id_ = self.id_of(item)
            for end in self.ends_of(item):
                self.paid_until[id_] = max(end, self.paid_until.get(id_, end))

    def change_store(self, name: str, first: Any, second: Any) -> None:  # noqa: ANN401 - of any step
        """Change something in the store."""
        with self.postman.store.changing() as state:
            if name == "advance":
                state.advance(timedelta(days=first))
            else:
                self.change(name, first, second)

    async def overtake(self, item: Item, step: Step) -> None:
        """Let the state before a change arrive after the state that follows it."""

        async def change() -> None:
            self.change_store(*step)

        await overtake(self.runtime, self.provider, self.id_of(item), change)

    async def post(self, random: Random, *, lost: bool) -> None:
        """Deliver what was sent: in any order, some twice. Or lose one notification."""
        bag = self.postman.mailbag
        if lost:
            if bag:
                self.lost(bag.pop(random.randrange(len(bag))))
            return
        batch = [*bag, *random.sample(bag, len(bag) // 2)]
        random.shuffle(batch)
        await self.postman.deliver(batch, raises=not self.is_down)

    async def stored(self, item: Item) -> Stored | None:
        """Return a subscription as the application stored it, and check that it gives no access that was not paid."""
        async with self.runtime.database.reading() as session:
            row = await SubscriptionRepository(session).find(self.provider.name, self.id_of(item))
        if row is not None:
            paid_until = self.paid_until.get(self.id_of(item))
            assert row.access_until is None or (paid_until is not None and row.access_until <= paid_until)
        return row

    async def reconcile(self) -> None:
        """Do what the daily reconciliation does."""
        outcome = await reconcile_provider(self.runtime, self.provider)
        assert outcome.failed == 0
        await self.runtime.queue.drain()


async def two_buyers(
    runtime: Runtime, client: httpx.AsyncClient, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch, api: object
) -> tuple[list[dict[str, str]], list[UUID]]:
    """Sign two users in, and prepare the application for many histories. Return their headers and ids.

    Args:
        api: the client of the store. An outage is over at once for it: its circuit never opens.
    """
    monkeypatch.setattr(reconciliation, "CONCURRENCY", 1)
    monkeypatch.setattr(runtime, "limiter", Unlimited())
    monkeypatch.setattr(api, "_calls", Resilient("store", transient=Exception, attempts=1, threshold=1_000_000))
    headers = [await sign_in(email=f"{name}@example.com") for name in ("ada", "bob")]
    return headers, [await identity(client, each) for each in headers]
