"""The steps of a history. Each does what a user, a bank, an operator, the network or Stripe does."""

import asyncio
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

from app.dev.servers.stripe.billing import lifecycle, payments
from app.dev.servers.stripe.billing.subscribe import complete
from app.dev.servers.stripe.cards import TestCard, by_last4, replace_card
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import CheckoutSession
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.payments import Charge, Dispute
from app.dev.servers.stripe.objects.subscriptions import PauseCollection, Subscription
from app.payments.convergence import converge
from app.payments.erasure import ErasureBlockedError
from app.payments.errors import ConcurrentChangeError
from app.payments.port import ProviderUnavailableError
from app.payments.reconciliation import reconcile
from app.stripe.provider import StripeProvider
from app.stripe.snapshots import USER_KEY
from app.users.erasure import erase_user
from tests.payments.histories import attempt_all, overtake
from tests.stripe.histories.world import World

type Who = Literal[0, 1]


class Step(Protocol):
    """A step."""

    async def run(self, world: World) -> None:
        """Do it. It may be killed, and it may be impossible; both change nothing that was not paid for."""
        ...


@dataclass(frozen=True)
class Buy:
    """A user buys a plan, and may leave before the success page."""

    who: Who
    plan: Literal["pro", "enterprise"]
    interval: Literal["monthly", "yearly"]
    last4: str
    returns: bool

    async def run(self, world: World) -> None:
        """Do it."""
        buyer = world.buyers[self.who]
        if buyer.user_id in world.erased:
            return
        response = await buyer.checkout(plan=self.plan, interval=self.interval)
        if response.status_code != 200:
            return
        account, session_id = world.fake.account, response.json()["session_id"]
        session = account.find(CheckoutSession, session_id)
        complete(account, session, card(self.last4), email="", code=None, authenticated=True)
        if self.returns:
            await buyer.sync(session_id)


@dataclass(frozen=True)
class Ask:
    """A user cancels, resumes, or changes the plan."""

    who: Who
    what: Literal["cancel", "resume", "pro", "enterprise"]

    async def run(self, world: World) -> None:
        """Do it."""
        buyer = world.buyers[self.who]
        if buyer.user_id in world.erased:
            return
        if self.what in {"cancel", "resume"}:
            await buyer.post(f"/{self.what}")
            return
        wanted = {"plan": self.what, "interval": "monthly"}
        preview = await buyer.get("/change", **wanted)
        if preview.is_success:
            await buyer.post("/change", {**wanted, "proration_date": preview.json()["proration_date"]})


@dataclass(frozen=True)
class UseCard:
    """A user replaces the card in the portal, and pays what is open."""

    who: Who
    last4: str
    pays: bool

    async def run(self, world: World) -> None:
        """Do it."""
        account, customer = world.fake.account, customer_of(world, self.who)
        if customer is None:
            return
        replace_card(account, card(self.last4), customer)
        for invoice in account.all(Invoice):
            if self.pays and invoice.customer == customer.id and invoice.status == "open":
                lifecycle.collect(account, invoice, on_session=True, authenticated=True)


@dataclass(frozen=True)
class GiveBack:
    """A payment is refunded, or disputed and decided: the last one, or the one before."""

    who: Who
    how: Literal["refund", "part", "dispute", "won", "lost"]
    back: Literal[1, 2] = 1

    async def run(self, world: World) -> None:
        """Do it."""
        account, customer = world.fake.account, customer_of(world, self.who)
        charges = [one for one in account.all(Charge) if customer and one.customer == customer.id and one.paid]
        if not charges:
            return
        charge = charges[-min(self.back, len(charges))]
        if self.how in {"refund", "part"}:
            if not charge.refunded:
                payments.refund(account, charge, 1 if self.how == "part" else None, None, {})
            return
        open_disputes = [one for one in account.all(Dispute) if one.status == "needs_response"]
        if self.how == "dispute" and not charge.disputed:
            payments.dispute(account, charge)
        elif self.how != "dispute" and open_disputes:
            payments.close_dispute(account, open_disputes[0], won=self.how == "won")


@dataclass(frozen=True)
class Pause:
    """An operator pauses or ends a subscription in Stripe's Dashboard."""

    who: Who
    how: Literal["collection", "subscription", "end"]

    async def run(self, world: World) -> None:
        """Do it."""
        account, customer = world.fake.account, customer_of(world, self.who)
        for one in account.all(Subscription):
            if customer is None or one.customer != customer.id or one.has_ended:
                continue
            if self.how == "end":
                lifecycle.end(account, one, reason="cancellation_requested")
            elif self.how == "subscription" and one.status in {"active", "trialing"}:
                lifecycle.pause(account, one, "pause_requested")
            elif self.how == "collection":
                one.pause_collection = PauseCollection(behavior="void")
                lifecycle.updated(account, one)


@dataclass(frozen=True)
class Wait:
    """Time passes at Stripe."""

    step: str

    async def run(self, world: World) -> None:
        """Do it."""
        world.fake.advance(self.step)


@dataclass(frozen=True)
class Deliver:
    """Events arrive: in another order, repeatedly, or not all."""

    reverse: bool
    repeat: int
    drop: int

    async def run(self, world: World) -> None:
        """Do it."""
        faults = world.fake.faults
        faults.reverse, faults.repeat, faults.drop = self.reverse, self.repeat, self.drop
        await world.deliver()


@dataclass(frozen=True)
class Trouble:
    """Stripe is down for some requests, or the application is killed at one of its next requests."""

    down: int
    kill: int

    async def run(self, world: World) -> None:
        """Do it."""
        world.fake.faults.down = self.down
        world.wire.requests_left = self.kill or None


@dataclass(frozen=True)
class Outage:
    """Stripe is down until the next trouble or the end, for longer than the attempts at the events."""

    async def run(self, world: World) -> None:
        """Do it."""
        world.fake.faults.down = -1
        await world.deliver()
        await attempt_all(world.runtime)


@dataclass(frozen=True)
class Reconcile:
    """The daily reconciliation."""

    async def run(self, world: World) -> None:
        """Do it."""
        await reconcile(world.runtime)


@dataclass(frozen=True)
class AtOnce:
    """Two steps at the same time."""

    first: Step
    second: Step

    async def run(self, world: World) -> None:
        """Do both."""
        async with asyncio.TaskGroup() as group:
            group.create_task(_of(self.first, world))
            group.create_task(_of(self.second, world))


async def _of(step: Step, world: World) -> None:
    await step.run(world)


@dataclass(frozen=True)
class Transfer:
    """An operator moves a subscription to the other user, and waits until the application knows."""

    who: Who

    async def run(self, world: World) -> None:
        """Do it."""
        mine, other = world.buyers[self.who].user_id, world.buyers[1 - self.who].user_id
        provider = world.runtime.resource(StripeProvider)
        for one in world.fake.account.all(Subscription):
            if one.metadata.get(USER_KEY) == mine and not one.has_ended and not {mine, other} & world.erased:
                one.metadata[USER_KEY] = other
                try:
                    await converge(world.runtime, provider, one.id)
                except BaseException as error:
                    # The operator undoes it.
                    one.metadata[USER_KEY] = mine
                    if not isinstance(error, (ProviderUnavailableError, ConcurrentChangeError)):
                        raise
                return


@dataclass(frozen=True)
class Overtake:
    """An answer of Stripe arrives after a newer one was stored."""

    who: Who
    change: Step

    async def run(self, world: World) -> None:
        """Do it."""
        customer, provider = customer_of(world, self.who), world.runtime.resource(StripeProvider)
        for one in world.fake.account.all(Subscription):
            if customer is not None and one.customer == customer.id:
                await overtake(world.runtime, provider, one.id, lambda: self.change.run(world))
                return


@dataclass(frozen=True)
class Erase:
    """A user is erased. It fails while Stripe does not answer."""

    who: Who

    async def run(self, world: World) -> None:
        """Do it."""
        buyer = world.buyers[self.who]
        if buyer.user_id in world.erased:
            return
        try:
            await erase_user(world.runtime, UUID(buyer.user_id))
        except (ErasureBlockedError, ProviderUnavailableError):
            return
        world.erased.add(buyer.user_id)


def card(last4: str) -> TestCard:
    """Return a test card."""
    found = by_last4(last4)
    assert found is not None
    return found


def customer_of(world: World, who: Who) -> Customer | None:
    """Return a user's customer at Stripe."""
    user = world.buyers[who].user_id
    return next((one for one in world.fake.account.all(Customer) if one.metadata.get("user_id") == user), None)
