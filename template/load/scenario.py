"""Scenarios: the requests of one kind of user, independent of the program that sends them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypedDict, Unpack


class RequestOptions(TypedDict, total=False):
    """The optional parts of a request.

    Attributes:
        name: the name in the report, if the path contains an id.
        json: the body, as JSON.
        content: the body, instead of `json`.
        headers: headers beside the bearer token.
        anonymous: whether to send no token.
        expected: the statuses that count as success, by default 200.
    """

    name: str
    json: object
    content: bytes
    headers: Mapping[str, str]
    anonymous: bool
    expected: tuple[int, ...]


class Session(Protocol):
    """A simulated user's connection to the application."""

    url: str
    """The application's base URL, without a slash at the end."""
    token: str
    """The bearer token of the user's account."""
    state: dict[str, Any]
    """Values that a user keeps from one step to the next."""

    def send(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Any:  # noqa: ANN401 - JSON
        """Send a request and return the JSON of its response.

        Args:
            path: below the API's prefix, or an absolute URL.

        Raises:
            StepStoppedError: the response has another status. It is in the report already.
        """
        ...

    def measure[T](self, name: str, action: Callable[[], T]) -> T:
        """Run an action that is not an HTTP request, and report its duration, or its failure.

        Raises:
            StepStoppedError: the action failed.
        """
        ...


class StepStoppedError(Exception):
    """The rest of a step makes no sense, since a request failed or reached a limit."""


type Step = Callable[[Session], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Scenario:
    """A kind of user.

    Attributes:
        name: the name on the command line.
        steps: the functions that send requests, with their relative frequency.
        weight: the share of this kind among all users.
        pause: the least and the most seconds between two steps.
        p95: the threshold in seconds: 95 % of the requests must be faster.
        settings: settings of a local server, such as rate limits that are off.
        stop: called when the user leaves.
    """

    name: str
    steps: Mapping[Step, int]
    weight: int = 1
    pause: tuple[float, float] = (0.5, 1.5)
    p95: float = 1.0
    settings: Mapping[str, str] = field(default_factory=dict)
    stop: Step | None = None
