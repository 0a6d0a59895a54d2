"""What the tests of mail have in common."""

import pytest

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.email.service import EmailService, get_email_service


@pytest.fixture
def email(runtime: Runtime) -> EmailService:
    """The application's mail service."""
    return get_email_service(runtime)


@pytest.fixture
def queue(runtime: Runtime) -> Queue:
    """The queue, whose jobs wait for `drain`."""
    return runtime.queue
