"""Hashes and seals: what makes a changed, missing or invented entry visible."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Self
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import Row

from app.core.config.settings import Settings
from app.kit.derived_key import derived_key

HASHED: Final = (
    "id",
    "created_at",
    "chain",
    "sequence",
    "actor_id",
    "impersonated_id",
    "action",
    "target_type",
    "target_id",
    "details",
    "changes",
    "request_id",
    "origin_digest",
    "key_id",
)
"""The columns that the hash covers."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A key derived from SECRET_KEY."""

    id: str
    secret: bytes

    @classmethod
    def derive(cls, secret: SecretStr) -> Self:
        """Derive the key of the audit log from a secret of the application."""
        key = derived_key(secret, "seals of the audit log")
        return cls(hashlib.sha256(key).hexdigest()[:16], key)

    def seal(self, *parts: object) -> str:
        """Return the MAC of these parts."""
        return hmac.new(self.secret, "\n".join(map(str, parts)).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class SealingKeys:
    """The current key, and those of SECRET_KEY_PREVIOUS, which only verify."""

    keys: tuple[SealingKey, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Derive the keys from the settings."""
        return cls(tuple(SealingKey.derive(secret) for secret in settings.secret_keys))

    @property
    def current(self) -> SealingKey:
        """The key of new seals."""
        return self.keys[0]

    def by_id(self, key_id: str) -> SealingKey | None:
        """Return the key with this id, if it is still configured."""
        return next((key for key in self.keys if key.id == key_id), None)

    def accept(self, seal: str, parts: Sequence[object]) -> bool:
        """Return whether one of the keys made the seal of these parts."""
        return any(hmac.compare_digest(key.seal(*parts).encode(), seal.encode()) for key in self.keys)

    def accept_entry(self, row: Row[*tuple[Any, ...]]) -> bool:
        """Return whether one of the keys made an entry's seal, or its key is no longer configured."""
        return self.by_id(row.key_id) is None or self.accept(row.seal, (row.chain, row.sequence, row.hash))


def new_salt() -> str:
    """Return a salt of 128 random bits."""
    return secrets.token_hex(16)


def origin_digest(salt: str, client: str | None, user_agent: str | None) -> str:
    """Return the digest that stands for the client and the user agent in the hash."""
    return hashlib.sha256(json.dumps([salt, client, user_agent]).encode()).hexdigest()


def link(previous: str, entry: Mapping[str, object]) -> str:
    """Return the hash of an entry, given the hash of its predecessor and its columns by name."""
    content = json.dumps(
        {name: _plain(entry[name]) for name in HASHED}, sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()


def is_linked(previous: str, row: Row[*tuple[Any, ...]]) -> bool:
    """Return whether an entry has the hash that its predecessor's hash and its own columns result in."""
    stored: str = row.hash
    return link(previous, {name: getattr(row, name) for name in HASHED}) == stored


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return str(value) if isinstance(value, UUID) else value
