"""Authenticated encryption of short values: AES-256-GCM (NIST SP 800-38D), with the id of the key in the value."""

import base64
import binascii
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION: Final = "v1"
KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
TAG_BYTES: Final = 16
MAX_VALUE_BYTES: Final = 1024 * 1024
"""Bytes of a plaintext. Larger content belongs in file storage."""
_ID: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class InvalidKeyError(ValueError):
    """An encryption key is malformed. The message does not contain it."""


class EncryptionError(Exception):
    """A value cannot be encrypted or decrypted. The message contains neither the value nor a key."""


class UnknownKeyError(EncryptionError):
    """The value was encrypted with a key that the keyring lacks.

    Attributes:
        key_id: the id of the key.
    """

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The value was encrypted with the key {key_id!r}, which is not among the encryption keys.")
        self.key_id = key_id


class TamperedValueError(EncryptionError):
    """The value is damaged, or was encrypted for another place or with another key of the same id."""

    def __init__(self) -> None:
        super().__init__("The encrypted value is damaged, was moved from another place, or its key was replaced.")


@dataclass(frozen=True, slots=True)
class EncryptionKey:
    """A key with an id, which is stored in every value that the key encrypts.

    Attributes:
        id: 1 to 32 lower-case letters, digits and hyphens, such as `2026-11`.
        secret: 32 random bytes.

    Raises:
        InvalidKeyError: the id or the length of the secret is not valid.
    """

    id: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Check the id and the length."""
        if not _ID.fullmatch(self.id):
            raise InvalidKeyError("the id of a key must be 1 to 32 lower-case letters, digits and hyphens")
        if len(self.secret) != KEY_BYTES:
            raise InvalidKeyError(f"the key {self.id!r} has {len(self.secret)} bytes instead of {KEY_BYTES}")

    @classmethod
    def generate(cls, key_id: str) -> Self:
        """Generate a key.

        Raises:
            InvalidKeyError: the id is not valid.
        """
        return cls(key_id, os.urandom(KEY_BYTES))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a key from `id:base64`. The base64 may use either alphabet, with or without padding.

        Raises:
            InvalidKeyError: the text is malformed.
        """
        key_id, separator, encoded = text.partition(":")
        if not separator:
            raise InvalidKeyError("a key must be an id, a colon, and the base64 of 32 random bytes")
        try:
            secret = _decoded(encoded.replace("+", "-").replace("/", "_").rstrip("="))
        except ValueError:
            raise InvalidKeyError("a key must be base64 after the colon") from None
        return cls(key_id, secret)

    def __str__(self) -> str:
        """Return `id:base64`, which `parse` reads. It is the secret itself."""
        return f"{self.id}:{base64.b64encode(self.secret).decode()}"


class Keyring:
    """Encryption keys. The first one encrypts; all of them decrypt.

    An encrypted value is the text `v1.KEY_ID.BASE64URL`, whose last part is nonce, ciphertext and tag. Every value has
    a random nonce: rotate a key before it has encrypted 2³² values.

    Args:
        keys: at least one; ids and secrets are unique.

    Raises:
        InvalidKeyError: there is no key, or two have the same id or secret.
    """

    def __init__(self, keys: Sequence[EncryptionKey]) -> None:
        if not keys:
            raise InvalidKeyError("at least one encryption key is required")
        for what, values in (("id", [key.id for key in keys]), ("secret", [key.secret for key in keys])):
            if len(set(values)) < len(values):
                raise InvalidKeyError(f"two encryption keys have the same {what}")
        self.current_id = keys[0].id
        """The id of the key that encrypts."""
        self.ids = tuple(key.id for key in keys)
        self._ciphers = {key.id: AESGCM(key.secret) for key in keys}

    @property
    def current_prefix(self) -> str:
        """The beginning of every value that the first key has encrypted."""
        return prefix_of(self.current_id)

    def encrypt(self, plaintext: str, *, context: str) -> str:
        """Encrypt a text.

        Args:
            plaintext: at most MAX_VALUE_BYTES bytes in UTF-8.
            context: the place of the value, such as a table, a column and the key of a row. It is not encrypted, and
                decryption with another context fails.

        Raises:
            EncryptionError: the text is too long, or not valid Unicode.
        """
        data = _data(plaintext)
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self.current_id].encrypt(nonce, data, _associated(self.current_id, context))
        return f"{self.current_prefix}{base64.urlsafe_b64encode(nonce + sealed).rstrip(b'=').decode()}"

    def decrypt(self, value: str, *, context: str) -> str:
        """Decrypt a value.

        Raises:
            UnknownKeyError: its key is not in the keyring.
            TamperedValueError: it is not the value that was encrypted for this context.
        """
        key_id, sealed = _parse(value)
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownKeyError(key_id)
        try:
            return cipher.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _associated(key_id, context)).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise TamperedValueError from None


def prefix_of(key_id: str) -> str:
    """Return the beginning of every value that this key has encrypted."""
    return f"{VERSION}.{key_id}."


def _data(plaintext: str) -> bytes:
    # A character has at least one byte: an overlong text is not encoded first.
    if len(plaintext) <= MAX_VALUE_BYTES:
        try:
            data = plaintext.encode()
        except UnicodeEncodeError:
            raise EncryptionError("The text contains lone surrogates, which cannot be stored.") from None
        if len(data) <= MAX_VALUE_BYTES:
            return data
    raise EncryptionError(f"The text is longer than {MAX_VALUE_BYTES} bytes; store it as a file.")


def _associated(key_id: str, context: str) -> bytes:
    # An id has no dot, so that no two pairs give the same bytes.
    return f"{prefix_of(key_id)}{context}".encode()


def _parse(value: str) -> tuple[str, bytes]:
    """Return the id of the key, and nonce, ciphertext and tag.

    Raises:
        TamperedValueError: the value is malformed.
    """
    version, _, rest = value.partition(".")
    key_id, _, encoded = rest.partition(".")
    if version != VERSION or not _ID.fullmatch(key_id):
        raise TamperedValueError
    try:
        sealed = _decoded(encoded)
    except ValueError:
        raise TamperedValueError from None
    if len(sealed) < NONCE_BYTES + TAG_BYTES:
        raise TamperedValueError
    return key_id, sealed


def _decoded(encoded: str) -> bytes:
    """Decode URL-safe base64 without padding.

    Raises:
        ValueError: it contains other characters, or bits that encode nothing.
    """
    data = base64.b64decode(encoded.encode() + b"=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != encoded:
        raise binascii.Error("not canonical")
    return data
