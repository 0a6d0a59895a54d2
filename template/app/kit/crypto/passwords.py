"""Password hashes: argon2id, computed in a few threads."""

import asyncio
import base64
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers import HasherProtocol
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr

MEMORY: Final = 19 * 1024
"""Kibibytes for one hash. MEMORY, PASSES and LANES are those of OWASP's Password Storage Cheat Sheet."""
PASSES: Final = 2
LANES: Final = 1
MAX_PASSWORD_BYTES: Final = 1024
"""In UTF-8. Longer than any passphrase, and short enough that a request cannot keep a thread busy."""
TIMEOUT: Final = 10.0
"""Seconds for one password, including the wait for a thread."""


class PasswordTooLongError(ValueError):
    """The password has more than MAX_PASSWORD_BYTES bytes."""

    def __init__(self) -> None:
        super().__init__(f"The password is longer than {MAX_PASSWORD_BYTES} bytes. Choose a shorter one.")


class UnknownPasswordHashError(ValueError):
    """The stored value is not a password hash that this hasher can verify."""

    def __init__(self) -> None:
        super().__init__("The stored password hash is damaged, or of a kind that `PasswordHasher(older=…)` lacks.")


class HashingTimeoutError(TimeoutError):
    """The password could not be hashed in time, because too many others are waiting."""

    def __init__(self) -> None:
        super().__init__("Too many passwords are being checked. Try again later.")


@dataclass(frozen=True, kw_only=True, slots=True)
class PasswordCheck:
    """The result of checking a password.

    Attributes:
        valid: whether the password is correct.
        new_hash: a hash to store in place of the old one, if the old one was made with other parameters.
    """

    valid: bool
    new_hash: str | None = field(default=None, repr=False)


class PasswordHasher:
    """A hasher with threads of its own, so that the event loop stays responsive. One for each process is enough.

    Args:
        threads: the number of hashes that are computed at the same time, each with 19 MiB. By default, half of the
            CPUs, at least 1 and at most 4, so that the other CPUs keep serving requests.
        timeout: seconds for one password, including the wait for a thread.
        older: hashers of passwords that were imported from another system, such as `BcryptHasher()`. A correct password
            gets an argon2id hash.
    """

    def __init__(
        self, *, threads: int | None = None, timeout: float = TIMEOUT, older: Sequence[HasherProtocol] = ()
    ) -> None:
        hasher = _CheckedArgon2Hasher(time_cost=PASSES, memory_cost=MEMORY, parallelism=LANES)
        self._hash = PasswordHash((hasher, *older))
        self._timeout = timeout
        # An executor of its own: asyncio's is shared with file and DNS work, and anyio's limiter lets the next caller
        # start when one is cancelled, while the thread of the cancelled one still computes.
        self._threads = ThreadPoolExecutor(threads or _default_threads(), thread_name_prefix="passwords")

    async def hash(self, password: SecretStr) -> str:
        """Return the hash of a new password, in the PHC string format, about 97 characters.

        Raises:
            PasswordTooLongError: the password is longer than MAX_PASSWORD_BYTES.
            HashingTimeoutError: too many passwords are waiting.
        """
        return await self._run(self._hash.hash, _normal(password))

    async def verify(self, password: SecretStr, stored: str | None) -> PasswordCheck:
        """Check a password against the stored hash.

        Args:
            password: as the user entered it. One that is too long is wrong.
            stored: the hash. Pass `None` for an unknown user or one without a password: the check then takes as long
                and fails, so that its duration does not reveal which users exist.

        Raises:
            UnknownPasswordHashError: the stored value is not a known hash, or it is damaged, such as one that was cut
                off by a column that is too short.
            HashingTimeoutError: too many passwords are waiting.
        """
        try:
            normal = _normal(password)
        except PasswordTooLongError:
            return PasswordCheck(valid=False)
        try:
            valid, new_hash = await self._run(
                self._hash.verify_and_update, normal, _NO_PASSWORD if stored is None else stored
            )
        except (UnknownHashError, UnicodeEncodeError):
            # The libraries' errors contain the hash.
            raise UnknownPasswordHashError from None
        return PasswordCheck(valid=valid, new_hash=new_hash)

    def close(self) -> None:
        """Cancel the calls that wait for a thread."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run[**P, R](self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        # A cancelled caller leaves the queue of the executor at once; a hash that is being computed is finished.
        future = asyncio.wrap_future(self._threads.submit(function, *args, **kwargs))
        try:
            async with asyncio.timeout(self._timeout):
                return await future
        except TimeoutError:
            raise HashingTimeoutError from None


class _CheckedArgon2Hasher(Argon2Hasher):
    """Argon2 that raises an error for a damaged hash. The library takes the password for wrong instead."""

    def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - the library's name
        """Return whether the password is correct.

        Raises:
            UnknownHashError: the hash is incomplete, or its parameters can't be used.
        """
        found = _ARGON2.fullmatch(hash) if isinstance(hash, str) else None
        if found is None or len(found["digest"]) not in _digest_lengths(found["parameters"]):
            raise UnknownHashError(hash)
        try:
            return Argon2().verify(hash, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            raise UnknownHashError(hash) from None


def _digest_lengths(parameters: str) -> frozenset[int]:
    """Return the lengths in base64 that a complete digest can have: of this module's hashes, or of imported ones."""
    return _OWN_DIGEST_LENGTH if parameters == _PARAMETERS else _IMPORTED_DIGEST_LENGTHS


def _default_threads() -> int:
    return max(1, min(4, (os.cpu_count() or 1) // 2))


def _normal(password: SecretStr) -> bytes:
    """Return the bytes that are hashed. Keyboards encode the same character in different ways (NIST SP 800-63B, NFKC).

    Raises:
        PasswordTooLongError: see `PasswordHasher.hash`.
    """
    text = password.get_secret_value()
    if len(text) > MAX_PASSWORD_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_PASSWORD_BYTES:
        raise PasswordTooLongError
    return unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).rstrip(b"=").decode()


_PARAMETERS: Final = f"$argon2id$v=19$m={MEMORY},t={PASSES},p={LANES}"
_ARGON2: Final = re.compile(
    r"(?P<parameters>\$argon2(?:id|i|d)(?:\$v=1[69])?\$m=\d{1,7},t=\d{1,3},p=\d{1,3})"
    r"\$[A-Za-z0-9+/]{11,128}\$(?P<digest>[A-Za-z0-9+/]{22,128})",
    re.ASCII,
)
_OWN_DIGEST_LENGTH: Final = frozenset({43})
_IMPORTED_DIGEST_LENGTHS: Final = frozenset({22, 27, 32, 43, 64, 86})
"""Of digests of 16, 20, 24, 32, 48 and 64 bytes."""
_NO_PASSWORD: Final = f"{_PARAMETERS}${_encoded(bytes(16))}${_encoded(bytes(32))}"
"""A hash that no known password has."""
