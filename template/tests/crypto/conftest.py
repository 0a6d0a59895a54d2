"""A runtime with encrypted columns."""

from collections.abc import AsyncIterator

import pytest

from app.core.db.database import Database
from app.core.lifecycle import create_runtime, running
from app.core.module import module as core
from app.core.runtime import Runtime
from tests.crypto.integrations import MODULES, make_tables


@pytest.fixture
async def runtime(database: Database) -> AsyncIterator[Runtime]:
    """A running runtime whose tables are made."""
    async with running(create_runtime((core, *MODULES), database=database), background=False) as started:
        await make_tables(started)
        yield started
