"""Fixtures that the email tests share."""

import pytest

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.email.mailer import Mailer, get_mailer


@pytest.fixture
def mailer(runtime: Runtime) -> Mailer:
    """The application's mailer."""
    return get_mailer(runtime)


@pytest.fixture
def queue(runtime: Runtime) -> Queue:
    """The queue. Its jobs wait for `drain`."""
    return runtime.queue
