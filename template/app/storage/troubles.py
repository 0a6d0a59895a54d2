"""What can go wrong with a store in another system, said so that a log may have it.

The texts of clients' errors have keys, which say whose file it is, and links: none of that goes further than here, not
even as the cause of another error, since retries and jobs that fail are logged with theirs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import structlog

from app.kit.resilience import UnavailableError
from app.storage.port import StorageUnavailableError

logger = structlog.stdlib.get_logger(__name__)

ENHANCE_YOUR_CALM: Final = 420
"""Some say this for 429."""
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS, ENHANCE_YOUR_CALM})


class TroubleError(Exception):
    """The store has not done what it was asked for.

    Attributes:
        kind: the name of the client's error.
        status: of its answer, if there was one.
        code: what the answer calls it, where stores have codes.
    """

    def __init__(self, kind: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(f"{kind}, status {status}, code {code}")
        self.kind = kind
        self.status = status
        self.code = code


def passes(error: Exception) -> bool:
    """Whether it may be over soon: there was no answer, or one that says so."""
    if not isinstance(error, TroubleError):
        return False
    status = error.status
    return status is None or status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR


@contextmanager
def unavailable(provider: str) -> Iterator[None]:
    """Logs a trouble, and raises the port's error for it."""
    try:
        yield
    except TroubleError as error:
        logger.error("storage_failed", provider=provider, error=error.kind, status=error.status, code=error.code)  # noqa: TRY400 - there is no more to say
        raise StorageUnavailableError from None
    except (TimeoutError, UnavailableError) as error:
        logger.error("storage_failed", provider=provider, error=type(error).__name__)  # noqa: TRY400 - see above
        raise StorageUnavailableError from None
