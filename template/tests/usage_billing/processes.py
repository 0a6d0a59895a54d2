"""The processes of test_faults.py: a server and a worker that record usage, and send it in the background."""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import uvicorn
from fastapi import APIRouter, Body
from sqlalchemy.exc import SQLAlchemyError

from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.errors import ServiceUnavailableError
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.main import create_app
from app.modules import MODULES
from app.usage_billing.sender import SenderTiming, sending
from app.users.dependencies import CurrentUser
from tests.usage_billing.conftest import METER

PIECES: Final = {"core", "auth", "users", "plans", "payments", "stripe", "usage_billing"}
LEASE: Final = 15 if "USAGE_FAULTS" in os.environ else 2
"""Seconds."""
QUICK: Final = partial(
    sending,
    timing=SenderTiming(
        lease=timedelta(seconds=LEASE), batch_timeout=timedelta(seconds=LEASE * 0.8), interval=timedelta(seconds=0.2)
    ),
)
"""Sending with a short lease, so that the records of a killed process are sent soon."""
PATH: Final = "/api/v1/app/work"

router = APIRouter()


def quantity(number: int) -> int:
    """Return how much a piece of work uses."""
    return number % 7 + 1


@router.post("/work")
async def work(
    number: Annotated[int, Body(embed=True)], user: CurrentUser, session: SessionDep, runtime: RuntimeDep
) -> None:
    """Do a piece of work, which a client repeats until it gets an answer."""
    await runtime.usage.record(session, user.id, METER, quantity(number), key=f"api-{number}")


def modules() -> list[Module]:
    """The pieces that usage billing requires, and a module that uses it."""
    own = Module(name="work", router=router, unmetered=True)
    return [
        *(
            replace(module, background=QUICK) if module.name == "usage_billing" else module
            for module in MODULES
            if module.name in PIECES
        ),
        own,
    ]


async def serve(port: int) -> None:
    """Serve until this process is killed."""
    app = create_app(modules())
    await uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="on")).serve()


async def record_all(users: Sequence[str], count: int) -> None:
    """Do pieces of work as a queue does: again from the start, if this process was killed."""
    runtime = create_runtime(modules(), database=create_database(Settings()))
    async with running(runtime):
        for number in range(count):
            done = False
            while not done:
                with suppress(SQLAlchemyError, ServiceUnavailableError, OSError):
                    async with runtime.database.transaction() as session:
                        user_id = UUID(users[number % len(users)])
                        await runtime.usage.record(session, user_id, METER, quantity(number), key=f"job-{number}")
                    done = True
        await asyncio.Event().wait()


def run(environment: Mapping[str, str], function: Callable[..., object], *args: object) -> None:
    """Run a function in this process, without output."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    os.environ.clear()
    os.environ.update(environment)
    outcome = function(*args)
    if isinstance(outcome, Coroutine):
        asyncio.run(outcome)
