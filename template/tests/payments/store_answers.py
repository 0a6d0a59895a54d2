"""A server in the place of a store's API, which answers as a test says. A test module imports the fixtures."""

import json
from collections.abc import Iterator

import pytest

from tests.fakes.server import FakeServer, Received, Reply, serving


class Answers:
    """The same response to each request."""

    def __init__(self) -> None:
        self.reply = Reply()

    def __call__(self, _request: Received) -> Reply:
        return self.reply

    def error(self, status: int, body: object) -> None:
        """Answer with an error from now on."""
        headers = {"Content-Type": "application/json"}
        self.reply = Reply(status=status, body=json.dumps(body).encode(), headers=headers)


@pytest.fixture
def answers() -> Answers:
    """The answers of the server."""
    return Answers()


@pytest.fixture
def server(answers: Answers) -> Iterator[FakeServer]:
    """The server."""
    with serving(answers) as started:
        yield started
