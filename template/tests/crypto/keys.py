"""Encryption keys for tests."""

import json

import pytest

from app.kit.crypto.encryption import EncryptionKey

OLD = EncryptionKey.generate("old")
NEW = EncryptionKey.generate("new")
LOST = EncryptionKey.generate("lost")


def use_keys(monkeypatch: pytest.MonkeyPatch, *keys: EncryptionKey) -> None:
    """Set ENCRYPTION_KEYS; the first key encrypts."""
    monkeypatch.setenv("ENCRYPTION_KEYS", json.dumps([str(key) for key in keys]))
