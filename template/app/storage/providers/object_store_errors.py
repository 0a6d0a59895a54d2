"""What the client library's errors mean. They come without a status, but say it in their text."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

import structlog
from obstore.exceptions import BaseError, GenericError

from app.kit.resilience import UnavailableError
from app.storage.port import ObjectMissingError, StorageUnavailableError

logger = structlog.stdlib.get_logger(__name__)

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")
_PASSING: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def passes(error: Exception) -> bool:
    """Whether it may be over soon: no connection, or an answer that says so."""
    if not isinstance(error, GenericError):
        return False
    status = _status(error)
    return status is None or status in _PASSING or status >= HTTPStatus.INTERNAL_SERVER_ERROR


@contextmanager
def mapped(provider: str, key: str | None = None) -> Iterator[None]:
    """Raises the port's errors instead of the library's, and logs what neither keys nor texts can give away."""
    try:
        yield
    except (BaseError, FileNotFoundError, TimeoutError, UnavailableError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            # Not the store's, but of whoever reads what is to be uploaded.
            raise
        code = _code(error)
        if isinstance(error, FileNotFoundError) and key is not None and code != "NoSuchBucket":
            raise ObjectMissingError(key) from None
        logger.error("storage_failed", provider=provider, error=type(error).__name__, status=_status(error), code=code)  # noqa: TRY400 - its text has the key, which says whose file it is
        # Nor is it to be part of a traceback.
        raise StorageUnavailableError from None


def is_beyond_the_end(error: GenericError) -> bool:
    """Whether the range that was asked for begins after the last byte, which of an empty object all do."""
    return _status(error) == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE


def _status(error: BaseException) -> int | None:
    found = _STATUS.search(str(error))
    return int(found[1]) if found else None


def _code(error: Exception) -> str | None:
    found = _CODE.search(str(error))
    return found[1] if found else None
