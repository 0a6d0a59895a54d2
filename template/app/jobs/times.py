"""How long things take that have to do with one another."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

GRACE: Final = timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """What a queue goes by.

    Attributes:
        lease: how long a job belongs to a worker that gives no sign of life, and after what time a job that nobody
            has begun is handed over again.
        grace: how long the process that has queued a job has got to hand it over, before others do.
        poll: between two looks at the table.
        longest_poll: the same while the server in between does not answer.
        first_pause: after a job's first failure; each further one doubles it.
        longest_pause: to which that grows.
    """

    lease: timedelta = timedelta(seconds=30)
    grace: timedelta = GRACE
    poll: timedelta = timedelta(seconds=1)
    longest_poll: timedelta = timedelta(seconds=5)
    first_pause: timedelta = timedelta(seconds=2)
    longest_pause: timedelta = timedelta(minutes=10)

    @property
    def beat(self) -> timedelta:
        """Between two signs of life."""
        return self.lease / 3
