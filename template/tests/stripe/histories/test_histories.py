"""Whatever happens, and however events arrive: what is stored ends equal to what Stripe says."""

from typing import Final
from uuid import UUID

from hypothesis import example, given

from app.dev.servers.stripe.objects.subscriptions import Subscription as AtStripe
from app.payments.repository import SubscriptionRepository
from app.payments.store import COPIED
from app.stripe.provider import StripeProvider
from tests.payments.histories import histories, undone
from tests.stripe.histories.oracle import RANKS, must_have, must_have_nothing
from tests.stripe.histories.steps import Buy, Deliver, GiveBack, Outage, Overtake, Step, UseCard, Wait
from tests.stripe.histories.strategies import HISTORIES
from tests.stripe.histories.world import World

REFUNDED: Final[list[Step]] = [
    Buy(0, "enterprise", "monthly", "4242", returns=True),
    GiveBack(0, "refund"),
    Deliver(reverse=False, repeat=1, drop=0),
]
UNPAID: Final[list[Step]] = [
    Buy(0, "enterprise", "monthly", "4242", returns=True),
    UseCard(0, "0341", pays=False),
    Wait("+33days"),
    Deliver(reverse=True, repeat=2, drop=0),
    Wait("+4days"),
]

OVERTAKEN: Final[list[Step]] = [
    Buy(0, "enterprise", "monthly", "4242", returns=True),
    Overtake(0, GiveBack(0, "refund")),
]

UNPROCESSED: Final[list[Step]] = [
    Buy(0, "enterprise", "monthly", "4242", returns=False),
    Outage(),
]


@histories(10)
@example(history=OVERTAKEN)
@example(history=REFUNDED)
@example(history=UNPAID)
@example(history=UNPROCESSED)
@given(history=HISTORIES)
async def test_every_history_converges_without_unpaid_access(world: World, history: list[Step]) -> None:
    async with undone(world.runtime.database):
        await world.begin()
        for step in history:
            await world.survive(step.run(world))
            await world.check()

        await world.settle()

        await world.check()
        await check_equal(world)
        await check_complete(world)


async def check_equal(world: World) -> None:
    """Check that each stored subscription is what Stripe says, and that none is missing."""
    provider = world.runtime.resource(StripeProvider)
    for at_stripe in world.fake.account.all(AtStripe):
        snapshot = await provider.fetch(world.runtime, at_stripe.id)
        async with world.runtime.database.reading() as session:
            row = await SubscriptionRepository(session).find(provider.name, at_stripe.id)
        assert snapshot is not None
        if row is None:
            assert at_stripe.has_ended, "A subscription that runs is stored."
            continue
        assert {name: getattr(row, name) for name in COPIED} == {name: getattr(snapshot, name) for name in COPIED}
        owners = {UUID(one.user_id) for one in world.buyers if one.user_id not in world.erased}
        assert row.user_id in {None, *owners}
        if str(snapshot.user_id) in world.erased:
            assert row.user_id is None


async def check_complete(world: World) -> None:
    """Check that what is paid is available, and that nobody pays for a deleted account."""
    for buyer in world.buyers:
        rank = must_have(world.fake.account, buyer.user_id)
        if buyer.user_id in world.erased:
            assert rank == 0, "The subscriptions of an erased user have ended."
        else:
            held = RANKS[await world.plan_of(buyer)]
            assert held >= rank
            assert held == 0 or not must_have_nothing(world.fake.account, buyer.user_id)
