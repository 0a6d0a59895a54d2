"""Sending of usage to Stripe: at least once, counted once, since each record has its id as the event's identifier."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Final
from uuid import UUID

import stripe
import structlog

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.kit.backoff import backoff
from app.kit.periodic import repeating
from app.payments.port import ProviderUnavailableError
from app.stripe.api import StripeApi
from app.usage_billing import meter_api, statements
from app.usage_billing.models import UsageState
from app.usage_billing.recorder import OLDEST
from app.usage_billing.statements import Claim

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 100
CONCURRENCY: Final = 10
UNPARK_EVERY: Final = 10
"""Number of intervals between two checks of parked records."""
UNIQUE_FOR: Final = timedelta(hours=23)
"""Stripe counts a repeated identifier once for at least 24 hours. Later, an attempt could count usage twice."""
FIRST_RETRY_DELAY: Final = timedelta(seconds=2)
MAX_RETRY_DELAY: Final = timedelta(minutes=1)
MISCONFIGURED_DELAY: Final = timedelta(minutes=5)
"""Delay after an error that only a person can fix: a missing meter, or a key without the permission."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SenderTiming:
    """Intervals of the sender.

    Attributes:
        lease: how long records belong to the process that sends them. Others send them if it is killed.
        batch_timeout: how long a batch may take; shorter than the lease.
        interval: between two looks for records that are due.
    """

    lease: timedelta = timedelta(seconds=60)
    batch_timeout: timedelta = timedelta(seconds=50)
    interval: timedelta = timedelta(seconds=3)


DEFAULT_TIMING: Final = SenderTiming()
_MISSING_METER: Final = frozenset({"no_meter", "archived_meter"})
_TOO_EARLY: Final = "timestamp_in_future"
"""Stripe's clock is behind this machine's by more than five minutes. The usage counts once Stripe's has caught up."""


@dataclass(slots=True)
class _Outcomes:
    """The results of a batch, by record."""

    sent: list[Claim] = field(default_factory=list)
    rejected: dict[str, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    misconfigured: dict[str, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    failed: dict[str, list[Claim]] = field(default_factory=lambda: defaultdict(list))
    cut_off: list[Claim] = field(default_factory=list)
    """The batch took too long for them. Stripe may have counted them."""
    unavailable: bool = False
    """Whether Stripe doesn't answer, so that the rest of the batch is not tried."""


async def send_due(runtime: Runtime, stop: asyncio.Event | None = None, timing: SenderTiming = DEFAULT_TIMING) -> int:
    """Send every record that is due, until none is left, Stripe doesn't answer, or `stop` is set.

    Several processes may do this at the same time.

    Returns:
        The number of records that Stripe has accepted.
    """
    if not runtime.resource(StripeApi).is_configured:
        return 0
    sent = 0
    while stop is None or not stop.is_set():
        claims = await statements.claim(runtime.database, BATCH, timing.lease)
        outcomes = await _send(runtime, await _sendable(runtime, claims), timing)
        await _store(runtime, outcomes)
        sent += len(outcomes.sent)
        if len(claims) < BATCH or outcomes.unavailable or outcomes.misconfigured:
            break
    return sent


async def send_before_erasure(runtime: Runtime, user_id: UUID) -> None:
    """Send the usage of a user who is about to be erased, so that the last invoice contains it.

    A record that another process is sending is sent as well: Stripe counts its identifier once. A record that cannot be
    sent for another reason than an outage, such as a missing meter, is not billed.

    Raises:
        ProviderUnavailableError: Stripe doesn't answer. Then the user is not erased.
    """
    if not runtime.resource(StripeApi).is_configured:
        return
    await statements.unpark(runtime.database)
    tried: set[UUID] = set()
    while True:
        claims = await statements.claim(runtime.database, BATCH, DEFAULT_TIMING.lease, user_id=user_id)
        outcomes = await _send(runtime, await _sendable(runtime, claims), DEFAULT_TIMING)
        await _store(runtime, outcomes)
        if outcomes.unavailable or outcomes.cut_off:
            raise ProviderUnavailableError("Stripe did not take the user's usage.")
        # Records to retry are due later, hence come last.
        if len(claims) < BATCH or tried.issuperset(claim.id for claim in claims):
            return
        tried.update(claim.id for claim in claims)


def sending(runtime: Runtime, timing: SenderTiming = DEFAULT_TIMING) -> AbstractAsyncContextManager[None]:
    """Send due records every few seconds until the block ends.

    Records that are cut off at the end are due again when their lease expires.
    """
    rounds = count()

    async def send(stop: asyncio.Event) -> None:
        if next(rounds) % UNPARK_EVERY == 0:
            await statements.unpark(runtime.database)
        await send_due(runtime, stop, timing)

    return repeating(send, interval=timing.interval, failure="usage_not_sent")


async def _sendable(runtime: Runtime, claims: Sequence[Claim]) -> list[Claim]:
    """Return the records that can be sent, and store why the others can't."""
    now, database = utc_now(), runtime.database
    parked = [claim for claim in claims if claim.customer_id is None]
    known = [claim for claim in claims if claim.customer_id is not None]
    old = [claim for claim in known if claim.occurred_at < now - OLDEST]
    young = [claim for claim in known if claim.occurred_at >= now - OLDEST]
    unclear = [claim for claim in young if claim.first_attempt_at < now - UNIQUE_FOR]
    if parked:
        await statements.park(database, parked)
    if old:
        await statements.close(database, old, UsageState.REJECTED, "timestamp_too_far_in_past")
        logger.error("usage_too_old", records=len(old))
    if unclear:
        await statements.close(database, unclear, UsageState.UNCLEAR, "Stripe didn't answer for a day.")
        logger.error("usage_unclear", records=len(unclear), hint="Run app billing usage --reconcile.")
    return [claim for claim in young if claim.first_attempt_at >= now - UNIQUE_FOR]


async def _send(runtime: Runtime, claims: Sequence[Claim], timing: SenderTiming) -> _Outcomes:
    api, outcomes, turns = runtime.resource(StripeApi), _Outcomes(), asyncio.Semaphore(CONCURRENCY)
    open_claims = {claim.id: claim for claim in claims}

    async def send(claim: Claim) -> None:
        async with turns:
            if not outcomes.unavailable:
                await _send_one(api, claim, outcomes)
                del open_claims[claim.id]

    with suppress(TimeoutError):
        async with asyncio.timeout(timing.batch_timeout.total_seconds()), asyncio.TaskGroup() as group:
            for claim in claims:
                group.create_task(send(claim))
    if outcomes.unavailable:
        outcomes.failed["not tried, since Stripe doesn't answer"] += open_claims.values()
    else:
        outcomes.cut_off += open_claims.values()
    return outcomes


async def _send_one(api: StripeApi, claim: Claim, outcomes: _Outcomes) -> None:
    try:
        await meter_api.report(api, claim)
    except ProviderUnavailableError as error:
        outcomes.failed[str(error)].append(claim)
        outcomes.unavailable = True
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        outcomes.misconfigured[type(error).__name__].append(claim)
        outcomes.unavailable = True
    except stripe.StripeError as error:
        if _is_repeated(error):
            outcomes.sent.append(claim)
        elif error.code in _MISSING_METER:
            outcomes.misconfigured[str(error.code)].append(claim)
        elif error.code == _TOO_EARLY:
            outcomes.failed[_TOO_EARLY].append(claim)
        else:
            outcomes.rejected[error.code or type(error).__name__].append(claim)
    else:
        outcomes.sent.append(claim)


def _is_repeated(error: stripe.StripeError) -> bool:
    """Return whether Stripe has counted an event with this identifier before."""
    return error.code == "resource_already_exists" or "already exists with identifier" in (error.user_message or "")


async def _store(runtime: Runtime, outcomes: _Outcomes) -> None:
    database = runtime.database
    if outcomes.sent:
        await statements.mark_sent(database, [claim.id for claim in outcomes.sent])
    for code, claims in outcomes.rejected.items():
        await statements.close(database, claims, UsageState.REJECTED, code)
        logger.error("usage_rejected", code=code, records=len(claims))
    for code, claims in outcomes.misconfigured.items():
        await statements.retry(database, claims, MISCONFIGURED_DELAY, code)
        logger.error("usage_postponed", code=code, records=len(claims), hint="Run app billing setup.")
    if outcomes.cut_off:
        await statements.retry(database, outcomes.cut_off, timedelta(), "The batch took too long.")
    for reason, claims in outcomes.failed.items():
        if not claims:
            continue
        attempt = max(claim.attempt for claim in claims)
        delay = backoff(attempt, first=FIRST_RETRY_DELAY, longest=MAX_RETRY_DELAY)
        await statements.retry(database, claims, delay, reason)
        logger.warning("usage_retried", reason=reason, records=len(claims), seconds=round(delay.total_seconds()))
