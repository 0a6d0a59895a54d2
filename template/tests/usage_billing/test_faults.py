"""The sums at Stripe equal the ledger's, whatever is killed when: real processes, a real database, a fake of Stripe.

In each suite a few dozen records. The whole thing, with ten thousand records and Stripe away for ten seconds:

    USAGE_FAULTS=10000 uv run pytest tests/usage_billing/test_faults.py
"""

import asyncio
import multiprocessing
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess

import httpx
import pytest
from sqlalchemy import func, select
from sqlmodel import col

from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import utc_now
from app.core.lifecycle import create_runtime, running
from app.core.runtime import Runtime
from app.dev.servers.stripe.fake import StripeFake
from app.stripe.api import StripeApi
from app.stripe.customers import ensure_customer
from app.usage_billing.models import UsageRecord, UsageState
from app.usage_billing.reconciliation import MINUTE, reconcile
from app.usage_billing.setup import meters_and_prices
from tests.conftest import ME, make_client, sign_in_to
from tests.databases import Databases
from tests.processes import KILLED
from tests.stripe.conftest import StripeServer
from tests.usage_billing import processes
from tests.usage_billing.processes import PATH, modules, quantity, record_all, serve

FULL = "USAGE_FAULTS" in os.environ
RECORDS = int(os.environ.get("USAGE_FAULTS", "40"))
CLIENTS = 8
USERS = 3
OUTAGE = 10.0 if FULL else 0.0
"""Seconds. After an outage, the circuit breaker waits for half a minute."""
KILL_PAUSE = 4.0 if FULL else 0.5
KILLS = 8 if FULL else 2
TIMEOUT = 900.0 if FULL else 60.0

# A process of which each other one is a copy: importing the application takes longer than the rest.
if sys.platform == "win32":
    _context = multiprocessing.get_context("spawn")
else:
    _context = multiprocessing.get_context("forkserver")
    _context.set_forkserver_preload([processes.__name__])


@dataclass(kw_only=True)
class Company:
    """A server and a worker, and their users."""

    runtime: Runtime
    fake: StripeFake
    environment: dict[str, str]
    port: int
    headers: list[dict[str, str]]
    users: list[str]
    started: list[BaseProcess] = field(default_factory=list)

    def start(self, function: Callable[..., object], *args: object) -> BaseProcess:
        """Start a process."""
        process = _context.Process(target=processes.run, args=(self.environment, function, *args))
        process.start()
        self.started.append(process)
        return process

    async def kill_now_and_then(self) -> int:
        """Kill the server and the worker in turn, and start them again. Return how often."""
        functions: list[tuple[Callable[..., object], tuple[object, ...]]] = [
            (serve, (self.port,)),
            (record_all, (self.users, RECORDS // 2)),
        ]
        living = [self.start(function, *args) for function, args in functions]
        for number in range(KILLS):
            await asyncio.sleep(KILL_PAUSE * random.uniform(0.5, 1))  # noqa: S311 - the moment
            process = living[number % 2]
            process.kill()
            await asyncio.to_thread(process.join)
            assert process.exitcode == KILLED
            function, args = functions[number % 2]
            living[number % 2] = self.start(function, *args)
        return KILLS

    async def request_all(self) -> None:
        """Have each piece of work done, and repeat a request until it is answered."""
        numbers = iter(range(RECORDS // 2))

        async def client() -> None:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}") as http:
                for number in numbers:
                    await request(http, number)

        async def request(http: httpx.AsyncClient, number: int) -> None:
            headers = self.headers[number % USERS]
            while True:
                try:
                    answer = await http.post(PATH, headers=headers, json={"number": number})
                except httpx.HTTPError:
                    await asyncio.sleep(0.05)
                    continue
                if answer.status_code == httpx.codes.OK:
                    return
                assert answer.is_server_error, answer.text

        await asyncio.gather(*(client() for _ in range(CLIENTS)))

    async def outage(self) -> None:
        """Let Stripe be away for a while, once it has counted something."""
        if not OUTAGE:
            return
        await until(self._counted)
        self.fake.faults.down = -1
        await asyncio.sleep(OUTAGE)
        self.fake.faults.down = 0

    async def all_sent(self) -> None:
        """Return once every record has been sent."""

        async def sent() -> int:
            statement = select(func.count()).where(col(UsageRecord.state) == UsageState.SENT)
            async with self.runtime.database.reading() as session:
                return int(await session.scalar(statement) or 0) >= RECORDS

        await until(sent)

    async def _counted(self) -> int:
        return len(self.fake.account.meter_events)


async def until(reached: Callable[[], Awaitable[int]]) -> None:
    """Return once other processes have brought something about."""
    while not await reached():  # noqa: ASYNC110 - other processes
        await asyncio.sleep(0.1)


@pytest.fixture
async def company(
    databases: Databases, stripe_server: StripeServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Company]:
    """Users who are customers, in a database of their own. Nothing runs yet."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("RATE_LIMIT_DEFAULT", "1000000/minute")
        runtime = create_runtime(modules(), database=create_database(Settings()))
        await stack.enter_async_context(running(runtime, background=False))
        fake = stripe_server.reset()
        for change in await meters_and_prices(runtime):
            await change.apply()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        made = Company(runtime=runtime, fake=fake, environment=dict(os.environ), port=port, headers=[], users=[])
        await add_users(made)
        yield made
        for process in made.started:
            process.kill()
            await asyncio.to_thread(process.join)


async def add_users(company: Company) -> None:
    """Sign users up and make them customers."""
    from app.main import create_app  # noqa: PLC0415 - only here

    async with make_client(create_app(modules(), runtime=company.runtime)) as client:
        sign_in = sign_in_to(company.runtime, client)
        for number in range(USERS):
            headers = await sign_in(email=f"user{number}@example.com")
            me = (await client.get(ME, headers=headers)).json()
            company.headers.append(headers)
            company.users.append(str(me["id"]))
            await ensure_customer(company.runtime, company.runtime.resource(StripeApi), me["id"])


async def test_sums_are_equal_though_processes_are_killed_and_stripe_is_away(company: Company) -> None:
    async with asyncio.timeout(TIMEOUT):
        killed, *_ = await asyncio.gather(company.kill_now_and_then(), company.request_all(), company.outage())
        await company.all_sent()

    assert killed == KILLS
    events = company.fake.account.meter_events
    assert len(events) == len({event.identifier for event in events}) == RECORDS
    expected = [
        2 * sum(quantity(number) for number in range(RECORDS // 2) if number % USERS == user) for user in range(USERS)
    ]
    counted = dict.fromkeys(range(USERS), 0)
    async with company.runtime.database.reading() as session:
        rows = (await session.execute(select(col(UsageRecord.id), col(UsageRecord.user_id)))).all()
    owners = {str(id_): company.users.index(str(user_id)) for id_, user_id in rows}
    for event in events:
        counted[owners[event.identifier]] += int(event.payload["value"])
    assert list(counted.values()) == expected
    assert await reconcile(company.runtime, until=utc_now() + 2 * MINUTE) == (USERS, [])
