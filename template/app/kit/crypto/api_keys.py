"""API keys with a prefix and a checksum. The database stores only their digest."""

import re
import secrets
import string
import zlib
from dataclasses import dataclass
from typing import Final

from pydantic import SecretStr

from app.kit.crypto.comparison import equal_secrets
from app.kit.crypto.tokens import token_digest

ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM_LENGTH: Final = 32
"""Characters: 190 random bits."""
CHECKSUM_LENGTH: Final = 6
"""Characters: a CRC-32 in base 62."""
MAX_PREFIX_LENGTH: Final = 32
_PREFIX: Final = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_BODY: Final = re.compile(rf"[0-9A-Za-z]{{{RANDOM_LENGTH + CHECKSUM_LENGTH}}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class NewApiKey:
    """A key that has just been generated.

    Attributes:
        key: the key, to be shown to its owner once and never stored.
        digest: the value to store, in a unique column.
        hint: the prefix and the last characters of the random part, by which the owner recognises the key in a list.
    """

    key: SecretStr
    digest: str
    hint: str


@dataclass(frozen=True, slots=True)
class ApiKeyFormat:
    """A kind of API key: `ApiKeyFormat("acme_live").generate()` makes `acme_live_` and 38 characters.

    The prefix lets secret scanners find keys in public repositories. The checksum, which is no protection, rejects
    mistyped keys without a query.

    Args:
        prefix: names the product and the environment. Lower-case letters and digits, with single underscores between.

    Raises:
        ValueError: the prefix has other characters, or is too long.
    """

    prefix: str

    def __post_init__(self) -> None:
        """Check the prefix."""
        if len(self.prefix) > MAX_PREFIX_LENGTH or not _PREFIX.fullmatch(self.prefix):
            raise ValueError(
                f"The prefix of API keys must be lower-case letters and digits, with single underscores between, and "
                f"at most {MAX_PREFIX_LENGTH} characters."
            )

    def generate(self) -> NewApiKey:
        """Generate a key."""
        body = "".join(secrets.choice(ALPHABET) for _ in range(RANDOM_LENGTH))
        key = f"{self.prefix}_{body}{self._checksum(body)}"
        return NewApiKey(key=SecretStr(key), digest=token_digest(key), hint=f"{self.prefix}_…{body[-4:]}")

    def digest(self, key: str) -> str | None:
        """Return the digest to look a key up by, or `None` if the text is no key of this format."""
        body = key[len(self.prefix) + 1 :]
        expected_length = len(self.prefix) + 1 + RANDOM_LENGTH + CHECKSUM_LENGTH
        if len(key) != expected_length or not key.startswith(f"{self.prefix}_") or not _BODY.fullmatch(body):
            return None
        if body[RANDOM_LENGTH:] != self._checksum(body[:RANDOM_LENGTH]):
            return None
        return token_digest(key)

    def matches(self, key: str, stored_digest: str) -> bool:
        """Return whether a key has the stored digest. The digests are compared in constant time."""
        digest = self.digest(key)
        return digest is not None and equal_secrets(digest, stored_digest)

    def _checksum(self, body: str) -> str:
        number, text = zlib.crc32(f"{self.prefix}_{body}".encode()), ""
        for _ in range(CHECKSUM_LENGTH):
            number, digit = divmod(number, len(ALPHABET))
            text = ALPHABET[digit] + text
        return text
