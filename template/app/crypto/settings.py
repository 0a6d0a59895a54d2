"""The encryption keys, from the setting ENCRYPTION_KEYS."""

from functools import cached_property
from typing import Annotated, Final

from pydantic import AfterValidator, SecretStr, ValidationInfo

from app.core.config.settings import Environment, ModuleSettings, RequiredOutsideLocal
from app.kit.crypto.encryption import EncryptionKey, InvalidKeyError, Keyring

LOCAL_KEY: Final = "local:bG9jYWwgZGV2ZWxvcG1lbnQga2V5LCBub3Qgc2VjcmU="
"""The key where ENCRYPTION_KEYS is not set in local. It is published with the template and protects nothing."""
MIN_DISTINCT_BYTES: Final = 12
"""Distinct bytes of a key. A typed one has fewer; 32 random bytes practically never."""


def _check_keys(values: tuple[SecretStr, ...], info: ValidationInfo) -> tuple[SecretStr, ...]:
    is_local = info.data.get("ENVIRONMENT") is Environment.LOCAL
    if is_local and not values:
        return (SecretStr(LOCAL_KEY),)
    try:
        keys = [EncryptionKey.parse(value.get_secret_value()) for value in values]
        if keys:
            Keyring(keys)
    except InvalidKeyError as error:
        raise ValueError(f"is not valid: {error}; make a key with: app crypto new-key") from None
    if not is_local:
        published = EncryptionKey.parse(LOCAL_KEY).secret
        weak = [key.id for key in keys if key.secret == published or len(set(key.secret)) < MIN_DISTINCT_BYTES]
        if weak:
            raise ValueError(f"has example keys: {', '.join(weak)}; make a key with: app crypto new-key")
    return values


class CryptoSettings(ModuleSettings):
    """Settings of encrypted columns."""

    ENCRYPTION_KEYS: Annotated[tuple[SecretStr, ...], AfterValidator(_check_keys), RequiredOutsideLocal] = ()

    @cached_property
    def keyring(self) -> Keyring:
        """The keys. The first one encrypts."""
        return Keyring([EncryptionKey.parse(key.get_secret_value()) for key in self.ENCRYPTION_KEYS])
