"""Sending to Stripe: at least once, counted once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import update

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.stripe.api import StripeApi
from app.stripe.customers import ensure_customer
from app.stripe.settings import StripeSettings
from app.usage_billing import statements
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.sender import UNIQUE_FOR, send_due, sending
from tests.usage_billing.conftest import counted, make_due, record, records, send, states

LEASE = timedelta(minutes=1)
PENDING, PARKED, SENT = UsageState.PENDING, UsageState.PARKED, UsageState.SENT


async def age(runtime: Runtime, **values: object) -> None:
    """Change every record."""
    async with runtime.database.transaction() as session:
        await session.execute(update(UsageRecord).values(**values))


async def until(reached: Callable[[], Awaitable[int]]) -> None:
    """Return once something is there, which another task or the server brings about."""
    async with asyncio.timeout(20):
        while not await reached():  # noqa: ASYNC110 - not this task
            await asyncio.sleep(0.02)


async def sum_of(fake: StripeFake) -> int:
    """Return the usage that Stripe has counted."""
    return sum(counted(fake))


class TestSend:
    async def test_reports_each_record_to_its_meter(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        await record(runtime, user_id, 5, 7)
        assert await send_due(runtime) == 2

        assert await states(runtime) == [SENT, SENT]
        events = stripe_fake.account.meter_events
        assert {event.identifier for event in events} == {str(row.id) for row in await records(runtime)}
        assert {event.payload["stripe_customer_id"] for event in events} == {customer}
        assert sorted(counted(stripe_fake)) == [5, 7]
        assert await send_due(runtime) == 0

    async def test_counts_a_record_once_whose_answer_got_lost(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        stripe_fake.faults.lost = 1
        assert await send_due(runtime) == 1
        assert (await states(runtime), counted(stripe_fake)) == ([SENT], [5])

    async def test_counts_a_record_once_whose_process_was_killed_after_the_answer(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        await send_due(runtime)
        await age(runtime, state=PENDING, due_at=utc_now())
        # Stripe forgets idempotency keys before identifiers.
        stripe_fake.api._kept.clear()  # noqa: SLF001 - the fake's memory
        assert await send_due(runtime) == 1
        assert (await states(runtime), counted(stripe_fake)) == ([SENT], [5])

    async def test_waits_while_stripe_is_down(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, *range(1, 31))
        stripe_fake.faults.down = -1
        assert await send_due(runtime) == 0
        rows = await records(runtime)
        assert {row.state for row in rows} == {PENDING}
        assert all(row.reason and row.due_at > utc_now() for row in rows)

        stripe_fake.faults.down = 0
        # Without waiting for the circuit breaker.
        old, new = runtime.resource(StripeApi), StripeApi(runtime.resource(StripeSettings))
        runtime.provide(StripeApi, new)
        await until(lambda: send(runtime))
        runtime.provide(StripeApi, old)
        await new.close()
        assert sorted(counted(stripe_fake)) == list(range(1, 31))

    async def test_processes_share_the_records(self, runtime: Runtime, customer: str, user_id: UUID) -> None:
        assert customer
        await record(runtime, user_id, *range(1, 6))
        first = await statements.claim(runtime.database, 3, LEASE)
        second = await statements.claim(runtime.database, 3, LEASE)
        assert (len(first), len(second)) == (3, 2)
        assert {claim.id for claim in first} & {claim.id for claim in second} == set()
        assert await statements.claim(runtime.database, 3, LEASE) == []

    async def test_a_claim_that_expired_cannot_change_the_record(
        self, runtime: Runtime, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        old = await statements.claim(runtime.database, 1, LEASE)
        await make_due(runtime)
        (new,) = await statements.claim(runtime.database, 1, LEASE)
        await statements.close(runtime.database, old, UsageState.REJECTED, "late")
        assert new.attempt == 2
        assert await states(runtime) == [PENDING]

    async def test_the_background_sends(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        async with sending(runtime):
            await until(lambda: sum_of(stripe_fake))
        assert await states(runtime) == [SENT]


class TestParked:
    async def test_until_there_is_a_customer(self, runtime: Runtime, stripe_fake: StripeFake, user_id: UUID) -> None:
        await record(runtime, user_id, 5)
        assert await send_due(runtime) == 0
        assert await states(runtime) == [PARKED]
        assert await statements.unpark(runtime.database) == 0

        await ensure_customer(runtime, runtime.resource(StripeApi), user_id)
        assert await statements.unpark(runtime.database) == 1
        assert await send_due(runtime) == 1
        assert counted(stripe_fake) == [5]

    async def test_without_a_key_nothing_is_sent(
        self, runtime: Runtime, user_id: UUID, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StripeApi, "is_configured", False)
        await record(runtime, user_id, 5)
        assert await send_due(runtime) == 0
        assert await states(runtime) == [PENDING]


class TestRejected:
    async def test_names_stripe_s_reason(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        await record(runtime, user_id, 5)
        stripe_fake.account.objects["customer"].pop(customer)
        assert await send_due(runtime) == 0
        (row,) = await records(runtime)
        assert (row.state, row.reason) == (UsageState.REJECTED, "meter_event_customer_not_found")

    async def test_waits_for_a_missing_meter(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        meters = stripe_fake.account.objects.pop("billing.meter")
        await record(runtime, user_id, 5)
        assert await send_due(runtime) == 0
        (row,) = await records(runtime)
        assert (row.state, row.reason) == (PENDING, "no_meter")
        stripe_fake.account.objects["billing.meter"] = meters
        assert await send(runtime) == 1

    async def test_waits_until_stripe_s_clock_has_caught_up(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        await age(runtime, occurred_at=utc_now() + timedelta(minutes=8))
        assert await send_due(runtime) == 0
        (row,) = await records(runtime)
        assert (row.state, row.reason) == (PENDING, "timestamp_in_future")
        stripe_fake.advance("+1day")
        assert await send(runtime) == 1

    async def test_stays_rejected_if_the_report_is_faster_than_the_answer(
        self, runtime: Runtime, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        (claim,) = await statements.claim(runtime.database, 1, LEASE)
        assert await statements.reject(runtime.database, [(claim.id, claim.repeats)], "late") == 1
        await statements.mark_sent(runtime.database, [claim.id])
        assert await states(runtime) == [UsageState.REJECTED]

    async def test_counts_once_it_is_sent_again_after_a_late_rejection(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        """Stripe has seen the identifier, and would ignore it for a day."""
        assert customer
        await record(runtime, user_id, 5)
        (row,) = await records(runtime)
        stripe_fake.account.rejected_identifiers.add(str(row.id))
        assert await send_due(runtime) == 1
        assert await statements.reject(runtime.database, [(row.id, 0)], "late") == 1
        assert counted(stripe_fake) == []

        assert await statements.send_again(runtime.database, [row.id]) == 1
        assert await send_due(runtime) == 1
        assert (await states(runtime), counted(stripe_fake)) == ([SENT], [5])
        # A second report of the first attempt changes nothing.
        assert await statements.reject(runtime.database, [(row.id, 0)], "late") == 0

    async def test_is_too_old_for_stripe(self, runtime: Runtime, customer: str, user_id: UUID) -> None:
        assert customer
        await record(runtime, user_id, 5)
        await age(runtime, occurred_at=utc_now() - timedelta(days=36))
        assert await send_due(runtime) == 0
        (row,) = await records(runtime)
        assert (row.state, row.reason) == (UsageState.REJECTED, "timestamp_too_far_in_past")

    async def test_becomes_unclear_when_stripe_may_have_forgotten_the_id(
        self, runtime: Runtime, stripe_fake: StripeFake, customer: str, user_id: UUID
    ) -> None:
        assert customer
        await record(runtime, user_id, 5)
        await age(runtime, first_attempt_at=utc_now() - UNIQUE_FOR, attempts=9)
        assert await send_due(runtime) == 0
        assert await states(runtime) == [UsageState.UNCLEAR]
        assert counted(stripe_fake) == []
