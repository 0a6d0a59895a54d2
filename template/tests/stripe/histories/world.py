"""The application and the fake of Stripe during a history."""

import itertools
from collections.abc import Awaitable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
from starlette.types import Receive, Scope, Send

from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.webhooks import Message
from app.kit.resilience.resilient import Resilient
from app.payments.entitlements import SubscriptionEntitlements
from app.payments.reconciliation import reconcile
from app.stripe.api import StripeApi
from app.stripe.errors import is_transient, retry_after
from tests.conftest import SignIn
from tests.stripe.conftest import WEBHOOK, Buyer, StripeServer, make_buyer
from tests.stripe.histories.oracle import Oracle

_NUMBERS: Iterator[int] = itertools.count()


class Killed(BaseException):
    """The process was killed. Nothing in the application may catch this."""


class Wire:
    """The way from the application to the fake. `requests_left` counts down to the kill."""

    def __init__(self, server: StripeServer) -> None:
        self._server = server
        self.requests_left: int | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Carry out a request, and then kill the application if it is time: the answer is lost."""
        if self.requests_left is None:
            await self._server(scope, receive, send)
            return
        self.requests_left -= 1
        if self.requests_left > 0:
            await self._server(scope, receive, send)
            return
        self.requests_left = None
        await self._server(scope, receive, _nowhere)
        raise Killed


async def _nowhere(_message: object) -> None:
    """Lose a part of an answer."""


@dataclass(kw_only=True, repr=False)
class World:
    """The application, the fake and the buyers of a history."""

    runtime: Runtime
    client: httpx.AsyncClient
    sign_in: SignIn
    server: StripeServer
    wire: Wire
    buyers: list[Buyer] = field(default_factory=list)
    erased: set[str] = field(default_factory=set)
    oracle: Oracle = field(default_factory=Oracle)

    @property
    def fake(self) -> StripeFake:
        """The account of this history."""
        return self.server.fake

    async def begin(self) -> None:
        """Forget the last history."""
        self.wire.requests_left = None
        self._close_circuit()
        fake = self.server.reset(self.server.prepared)
        fake.listen(WEBHOOK)
        self.erased, self.oracle = set(), Oracle()
        self.buyers = [
            await make_buyer(self.client, self.runtime, fake, self.sign_in, f"buyer{next(_NUMBERS)}@example.com")
            for _who in range(2)
        ]

    async def survive(self, step: Awaitable[object]) -> None:
        """Run a step that may be killed."""
        try:
            await step
        except Killed:
            pass
        except BaseExceptionGroup as group:
            if group.split(Killed)[1] is not None:
                raise

    async def check(self) -> None:
        """Check that no user has access that was not paid for."""
        self.oracle.watch(self.fake.account)
        now = self.fake.account.now
        for buyer in self.buyers:
            plan = await self.plan_of(buyer)
            assert self.oracle.may_have(self.fake.account, buyer.user_id, plan, now), f"{plan} was not paid for"

    async def plan_of(self, buyer: Buyer) -> str:
        """Return a buyer's plan at the fake's time."""
        now = datetime.fromtimestamp(self.fake.account.now, UTC)
        async with self.runtime.database.reading() as session:
            return await self.runtime.resource(SubscriptionEntitlements).plan_of(session, UUID(buyer.user_id), now)

    async def deliver(self) -> None:
        """Let the events that wait arrive, and process them as far as possible."""

        async def post(message: Message) -> int:
            return (await self.client.post(message.url, content=message.body, headers=message.headers)).status_code

        for delivery in self.fake.account.deliveries:
            delivery.due = 0
        await self.fake.deliver(post)
        await self.runtime.queue.drain(raises=False)

    def _close_circuit(self) -> None:
        """Let the pause be over that follows failures, which would reach into the next history. Retries don't wait."""
        self.runtime.resource(StripeApi)._resilient = Resilient(  # noqa: SLF001 - there is no other way in
            "stripe", transient=is_transient, retry_after=retry_after, initial_backoff=timedelta(0)
        )

    async def settle(self) -> None:
        """End all trouble, deliver every event, and reconcile."""
        faults = self.fake.faults
        self.wire.requests_left = None
        faults.down = faults.lost = faults.drop = 0
        faults.repeat, faults.reverse = 1, False
        self._close_circuit()
        await self.deliver()
        for outcome in await reconcile(self.runtime):
            assert outcome.failed == 0
        await self.runtime.queue.drain()
