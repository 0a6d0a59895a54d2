"""Who is cancelled."""

import asyncio


def is_cancelled() -> bool:
    """Whether somebody wants the running task to end.

    One that meets `CancelledError` need not be: it may have waited for another task that was cancelled.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
