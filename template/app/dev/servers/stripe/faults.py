"""Faults that a test or a developer can switch on."""

from dataclasses import dataclass
from typing import Literal

type Fault = Literal["down", "lost"]


@dataclass(kw_only=True)
class Faults:
    """Faults of the API and of the delivery of events.

    Attributes:
        down: the number of requests that are answered 503; -1 for all.
        lost: the number of requests that are carried out, and whose answers get lost.
        deliver: whether events are sent by themselves. If not, they wait.
        drop: the number of events that are thrown away.
        repeat: how often each event is sent.
        reverse: whether the newest event is sent first.
        delay_seconds: how long an event waits before it is sent.
    """

    down: int = 0
    lost: int = 0
    deliver: bool = True
    drop: int = 0
    repeat: int = 1
    reverse: bool = False
    delay_seconds: float = 0.0

    def next_fault(self) -> Fault | None:
        """Return what goes wrong with the next request to the API."""
        if self.down:
            self.down -= self.down > 0
            return "down"
        if self.lost:
            self.lost -= 1
            return "lost"
        return None
