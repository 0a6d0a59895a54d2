"""The processes of test_faults.py: servers, and a process that publishes."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import uvicorn
from sqlalchemy import Column, Integer, MetaData, Table, insert

from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import create_runtime, running
from app.core.ports.realtime import Everyone
from app.main import create_app
from app.modules import MODULES

published = Table("test_published", MetaData(), Column("number", Integer, primary_key=True))
"""The numbers of all committed events."""


async def serve(port: int) -> None:
    """Serve until this process is killed."""
    config = uvicorn.Config(create_app(), port=port, ws="websockets-sansio", log_config=None, lifespan="on")
    await uvicorn.Server(config).serve()


async def publish(first: int, count: int, pause: float) -> None:
    """Publish numbered events, each in the transaction that stores its number."""
    runtime = create_runtime(MODULES, database=create_database(Settings()))
    async with running(runtime):
        for number in range(first, first + count):
            async with runtime.database.transaction() as session:
                await session.execute(insert(published).values(number=number))
                await runtime.realtime.publish(session, Everyone(), {"type": "number", "number": number})
            await asyncio.sleep(pause)
        await asyncio.Event().wait()


def run(environment: Mapping[str, str], function: Callable[..., Coroutine[Any, Any, None]], *args: object) -> None:
    """Run a function as a process with this environment."""
    os.environ.clear()
    os.environ.update(environment)
    asyncio.run(function(*args))
