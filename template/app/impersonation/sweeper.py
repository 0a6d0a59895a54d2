"""The sweeper: closes impersonations that are over, so that the audit trail has their end."""

from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from app.core.runtime import Runtime
from app.impersonation.service import close_ended
from app.kit.periodic import repeating

INTERVAL: Final = timedelta(seconds=30)


def sweeping(runtime: Runtime) -> AbstractAsyncContextManager[None]:
    """Sweep at once and then every 30 seconds, until the block ends."""
    return repeating(lambda _stop: close_ended(runtime), interval=INTERVAL, failure="impersonation_sweep_failed")
