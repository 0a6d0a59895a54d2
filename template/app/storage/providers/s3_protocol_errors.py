"""Translate the client library's errors. They have no status attribute, but their messages contain it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from obstore.exceptions import BaseError

from app.storage.port import ObjectMissingError
from app.storage.remote_errors import RemoteStorageError

NO_BUCKET: Final = "NoSuchBucket"
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")


@contextmanager
def safe_errors(key: str | None = None) -> Iterator[None]:
    """Raise errors without the library's messages.

    Args:
        key: of the object, if the request is about one.

    Raises:
        ObjectMissingError: no object has this key.
        RemoteStorageError: any other failure.
    """
    try:
        yield
    except FileNotFoundError as error:
        if error.errno is not None:
            # An error of the content's source, not of the store.
            raise
        if key is not None and _found(_CODE, error) != NO_BUCKET:
            raise ObjectMissingError(key) from None
        raise _remote_error(error) from None
    except BaseError as error:
        raise _remote_error(error) from None


def _remote_error(error: Exception) -> RemoteStorageError:
    status = _found(_STATUS, error)
    return RemoteStorageError(type(error).__name__, status=int(status) if status else None, code=_found(_CODE, error))


def _found(pattern: re.Pattern[str], error: Exception) -> str | None:
    found = pattern.search(str(error))
    return found[1] if found else None
