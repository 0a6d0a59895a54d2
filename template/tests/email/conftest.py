"""What the tests of mail have in common."""

import pytest

from app.core.queue import InProcessQueue
from app.core.runtime import Runtime
from app.email.service import EmailService, get_email_service


@pytest.fixture
def email(runtime: Runtime) -> EmailService:
    """The application's mail service."""
    return get_email_service(runtime)


@pytest.fixture
def queue(runtime: Runtime) -> InProcessQueue:
    """The queue, whose jobs wait for `drain`."""
    assert isinstance(runtime.queue, InProcessQueue)
    return runtime.queue
