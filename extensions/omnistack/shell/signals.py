"""Deferring Ctrl-C and the signals that end a program while something must not stop half way."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def interrupts_deferred(*, ignore: bool = False) -> Iterator[None]:
    """Complete the block before an interrupt takes effect; with `ignore`, drop the interrupt.

    Raises:
        KeyboardInterrupt: at the end of the block, if there was an interrupt.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals reach the main thread only
        return
    received: list[int] = []

    def remember(number: int, _frame: FrameType | None) -> None:
        received.append(number)

    previous = {number: signal.signal(number, remember) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received and not ignore:
            raise KeyboardInterrupt
