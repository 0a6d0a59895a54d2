"""Profiles: how many users there are, and when."""

from dataclasses import dataclass
from typing import Final

SPIKE_FACTOR: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """A number of users, until a time.

    Attributes:
        until: seconds since the start of the run.
        users: how many.
        rate: how many users arrive or leave in a second.
    """

    until: float
    users: int
    rate: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The course of a run.

    Attributes:
        name: the name on the command line.
        users: the default number of users.
        seconds: the default duration.
        p95_factor: by how much the thresholds of the scenarios are multiplied.
        judges_leaks: whether the run also fails on growing memory, connections and descriptors, and on a drift of the
            response times.
    """

    name: str
    users: int
    seconds: float
    p95_factor: float = 1.0
    judges_leaks: bool = False

    def stages(self, users: int, seconds: float) -> list[Stage]:
        """Return the stages of a run."""
        if self.name == SPIKE.name:
            many = users * SPIKE_FACTOR
            return [
                Stage(until=seconds * 0.4, users=users, rate=users),
                Stage(until=seconds * 0.6, users=many, rate=many),
                Stage(until=seconds, users=users, rate=many),
            ]
        return [Stage(until=seconds, users=users, rate=max(1.0, users / 5))]


STEADY: Final = Profile(name="steady", users=20, seconds=30)
SPIKE: Final = Profile(name="spike", users=10, seconds=60, p95_factor=3.0)
SOAK: Final = Profile(name="soak", users=30, seconds=120, p95_factor=3.0, judges_leaks=True)
PROFILES: Final = {profile.name: profile for profile in (STEADY, SPIKE, SOAK)}
