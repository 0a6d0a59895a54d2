"""Payments in the tests: with a provider in memory."""

import pytest

from app.core.runtime import Runtime
from app.payments.port import BillingProviders
from tests.payments.memory_shop import MemoryShop


@pytest.fixture
def shop(runtime: Runtime) -> MemoryShop:
    """A provider in memory, which is registered."""
    made = MemoryShop()
    runtime.resource(BillingProviders).add(made.provider)
    return made
