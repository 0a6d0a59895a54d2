"""What the client library's errors mean. They come without a status, but say it in their text."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from obstore.exceptions import BaseError

from app.storage.port import ObjectMissingError
from app.storage.troubles import TroubleError

NO_BUCKET: Final = "NoSuchBucket"
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w+)</Code>")


@contextmanager
def plain(key: str | None = None) -> Iterator[None]:
    """Raises errors without the library's texts.

    Raises:
        ObjectMissingError: there is no object of that key, if one is given.
        TroubleError: all the rest.
    """
    try:
        yield
    except FileNotFoundError as error:
        if error.errno is not None:
            # Not the store's, but of whoever reads what is to be uploaded.
            raise
        if key is not None and _found(_CODE, error) != NO_BUCKET:
            raise ObjectMissingError(key) from None
        raise _trouble(error) from None
    except BaseError as error:
        raise _trouble(error) from None


def _trouble(error: Exception) -> TroubleError:
    status = _found(_STATUS, error)
    return TroubleError(type(error).__name__, status=int(status) if status else None, code=_found(_CODE, error))


def _found(pattern: re.Pattern[str], error: Exception) -> str | None:
    found = pattern.search(str(error))
    return found[1] if found else None
