"""A run and its measurements, exchanged as JSON by the command and the process that sends the requests."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Self

from load.profiles import Stage

RUN_VARIABLE: Final = "LOAD_RUN"
"""The environment variable with the path of the run's file."""
WINDOW: Final = 5.0
"""Seconds of a window: the response times of each window are recorded separately."""
WARM_UP: Final = 5.0
"""Seconds in which the first requests fill caches and pools. Only failures are recorded in them."""
LIMITED: Final = " (limited)"
"""The end of the name of requests that a plan's limit or a rate limit refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """The plan of a run.

    Attributes:
        scenarios: the names of the scenarios.
        stages: the number of users over time.
        prefix: the prefix of the API's paths.
        tokens: the bearer tokens of the accounts, in a file with one per line.
        result: the file that the measurements are written to.
    """

    scenarios: tuple[str, ...]
    stages: tuple[Stage, ...]
    prefix: str
    tokens: str
    result: str

    def write(self, file: Path) -> None:
        """Write the plan to a file."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the plan from a file."""
        data = json.loads(file.read_text(encoding="utf-8"))
        stages = tuple(Stage(**stage) for stage in data.pop("stages"))
        return cls(**data | {"scenarios": tuple(data["scenarios"]), "stages": stages})


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """The measurements of the requests with one name. Times are in seconds."""

    name: str
    scenario: str
    requests: int
    failures: int
    p50: float
    p95: float
    p99: float
    longest: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """The requests that ended in a window of time."""

    start: float
    """Seconds since the start of the run."""
    requests: int
    p99: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The measurements of a run.

    Attributes:
        errors: messages of failed requests, with their number.
    """

    routes: tuple[Route, ...]
    windows: tuple[Window, ...]
    errors: dict[str, int]

    @property
    def requests(self) -> int:
        """The number of all requests."""
        return sum(route.requests for route in self.routes)

    def write(self, file: Path) -> None:
        """Write the measurements to a file."""
        file.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read the measurements from a file."""
        data = json.loads(file.read_text(encoding="utf-8"))
        return cls(
            routes=tuple(Route(**route) for route in data["routes"]),
            windows=tuple(Window(**window) for window in data["windows"]),
            errors=data["errors"],
        )


def percentile(times: list[float], share: float) -> float:
    """Return the time that this share of the requests did not exceed, or 0 without requests."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0
