"""Errors of stores in other systems, in a form that is safe to log.

The messages of client libraries contain keys, which identify the owner of a file, and links. They must not leave this
module, not even as the cause of another error, since retries and failed jobs are logged with theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import structlog

from app.kit.resilience.errors import UnavailableError
from app.storage.port import StorageUnavailableError

logger = structlog.stdlib.get_logger(__name__)

ENHANCE_YOUR_CALM: Final = 420
"""Some services use this for 429."""
_TRANSIENT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, ENHANCE_YOUR_CALM})


class RemoteStorageError(Exception):
    """A request to the store failed.

    Attributes:
        kind: the class name of the client library's error.
        status: the HTTP status, if there was a response.
        code: the store's own error code, if it has one.
    """

    def __init__(self, kind: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(f"{kind}, status {status}, code {code}")
        self.kind = kind
        self.status = status
        self.code = code


def is_transient(error: Exception) -> bool:
    """Return whether a retry may succeed: there was no response, or a status that says so."""
    if not isinstance(error, RemoteStorageError):
        return False
    status = error.status
    return status is None or status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR


@contextmanager
def port_errors(provider: str) -> Iterator[None]:
    """Log the store's error, and raise the port's error in its place."""
    try:
        yield
    except RemoteStorageError as error:
        facts = {"error": error.kind, "provider_status": error.status, "code": error.code}
        logger.error("storage_failed", provider=provider, **facts)  # noqa: TRY400 - no traceback: see above
        raise StorageUnavailableError from None
    except (TimeoutError, UnavailableError) as error:
        logger.error("storage_failed", provider=provider, error=type(error).__name__)  # noqa: TRY400 - see above
        raise StorageUnavailableError from None
