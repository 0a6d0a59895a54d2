"""Fixtures of the tests of jobs."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from tests.databases import Databases
from tests.redis.fixtures import own_redis, redis, redis_url

__all__ = ["live_database", "own_redis", "redis", "redis_url"]


@pytest.fixture
async def live_database(databases: Databases) -> AsyncIterator[Database]:
    """A database of the test's own, with real commits."""
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        database = create_database(Settings().with_database(url))
        stack.push_async_callback(database.dispose)
        yield database
