"""Telling a cancelled task from a task that awaited something cancelled."""

import asyncio


def is_cancelled() -> bool:
    """Return whether the running task itself is being cancelled.

    A task that catches `CancelledError` need not be: it may have awaited another task that was cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
