"""Encryption with age (https://age-encryption.org/v1): a public key encrypts, and only the identity decrypts."""

import io
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, Final, cast

import pyrage

from app.backup.errors import BackupError, DamagedError
from app.backup.stage import Stage

MAGIC: Final = b"age-encryption.org/v1\n"
IDENTITY_PREFIX: Final = "AGE-SECRET-KEY-1"
MAX_IDENTITY_FILE: Final = 64 * 1024


def recipient(value: str) -> pyrage.x25519.Recipient:
    """Return the recipient that a public key stands for.

    Raises:
        ValueError: it isn't one. The message doesn't contain the value.
    """
    if value.upper().startswith("AGE-SECRET-KEY"):
        raise ValueError("is a secret identity; set its public key, which begins with age1")
    try:
        return pyrage.x25519.Recipient.from_str(value)
    except pyrage.RecipientError:
        raise ValueError("is not an age public key, which begins with age1; `app backup new-key` makes one") from None


def new_identity() -> tuple[str, str]:
    """Return a new identity, which is secret, and its public key."""
    identity = pyrage.x25519.Identity.generate()
    return str(identity), str(identity.to_public())


def read_identities(path: Path) -> list[pyrage.x25519.Identity]:
    """Return the identities in a file, one a line.

    Raises:
        BackupError: the file cannot be read or has no identity. The message doesn't contain its content.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_IDENTITY_FILE).decode()
        lines = [line.strip() for line in text.splitlines()]
        found = [pyrage.x25519.Identity.from_str(line) for line in lines if line.startswith(IDENTITY_PREFIX)]
    except OSError as error:
        raise BackupError(f"The identity file {path} cannot be read: {error.strerror}.") from None
    except (UnicodeDecodeError, pyrage.IdentityError):
        raise BackupError(f"{path} contains a damaged identity.") from None
    if not found:
        raise BackupError(
            f"{path} contains no identity: a line that begins with {IDENTITY_PREFIX}. "
            "(If age encrypted the file with a passphrase, decrypt it first.)"
        )
    return found


class IdentityFile:
    """A file of identities. It is read once, so it may also be a pipe, such as `/dev/stdin`."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    @cached_property
    def identities(self) -> list[pyrage.x25519.Identity]:
        """The identities. See `read_identities` for errors."""
        return read_identities(self._path)


def encrypted(source: Stage, recipients: Sequence[pyrage.x25519.Recipient]) -> Stage:
    """Return the encrypted bytes of a stream."""

    def write(target: IO[bytes]) -> None:
        try:
            pyrage.encrypt_io(_binary(source), _binary(target), recipients)
        except Exception:
            # The library replaces errors of the streams by its own.
            if source.error is not None:
                raise source.error from None
            raise
        finally:
            source.close()

    return Stage(write)


def decrypted(source: IO[bytes], identities: Sequence[pyrage.x25519.Identity]) -> Stage:
    """Return the decrypted bytes of a stream. Each chunk of 64 KiB is authenticated before it is passed on.

    Raises:
        BackupError: none of the identities matches. Raised by the first read.
        DamagedError: the stream was changed or is incomplete. Raised by the read that reaches it.
    """

    def write(target: IO[bytes]) -> None:
        reader = _Reader(source)
        try:
            pyrage.decrypt_io(_binary(reader), _binary(target), identities)
        except Exception as error:  # noqa: BLE001 - of the streams too
            raise _explained(error, reader) from None

    return Stage(write)


class _Reader:
    """A stream for the library, which replaces the errors of its stream by its own."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.error: Exception | None = None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._source.read(size)
        except Exception as error:
            self.error = error
            raise


def _binary(stream: object) -> io.BufferedIOBase:
    """Return a stream for the library, which only calls `read` or `write`."""
    return cast("io.BufferedIOBase", stream)


def _explained(error: Exception, reader: _Reader) -> Exception:
    if reader.error is not None:
        return reader.error
    if isinstance(error, BrokenPipeError):
        return error
    if "No matching keys" in str(error):
        return BackupError("The identity does not match: the backup is encrypted for another key. Nothing was changed.")
    return DamagedError("it was changed, or is incomplete (its encryption cannot be verified)")
