"""The password hasher as a dependency of routes."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Annotated

from fastapi import Depends

from app.core.errors import BadRequestError, ServiceUnavailableError
from app.core.http.dependencies import RuntimeDep
from app.kit.crypto.passwords import HashingTimeoutError, PasswordHasher, PasswordTooLongError


async def get_passwords(runtime: RuntimeDep) -> AsyncIterator[PasswordHasher]:
    """Yield the process's password hasher, and turn its errors into responses.

    Raises:
        BadRequestError: the new password is too long.
        ServiceUnavailableError: too many passwords are waiting.
    """
    try:
        yield runtime.resource(PasswordHasher)
    except PasswordTooLongError as error:
        raise BadRequestError(str(error)) from error
    except HashingTimeoutError as error:
        raise ServiceUnavailableError(str(error), retry_after=timedelta(seconds=5)) from error


Passwords = Annotated[PasswordHasher, Depends(get_passwords)]
