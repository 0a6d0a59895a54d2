"""The settings of Apple's in-app purchases."""

import base64
import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo

from app.core.config.settings import Environment, ModuleSettings, RequiredOutsideLocal
from app.payments.store_settings import FakeStoreUrl

ROOT_SHA256: Final = "63343abfb89a6a03ebb57e9b3f5fa7be7c4f5c756f3017b3a8c488c3653e9179"
"""The SHA-256 fingerprint of "Apple Root CA - G3" (https://www.apple.com/certificateauthority/)."""

_FINGERPRINT: Final = re.compile("[0-9a-f]{64}")


def _bundle_id(value: str) -> str:
    if value and not re.fullmatch(r"[A-Za-z0-9.-]{1,155}", value):
        raise ValueError("must be the app's bundle id, such as com.example.app")
    return value


def _private_key(value: SecretStr) -> SecretStr:
    """Return the key in PEM. It may be given in base64, or with escaped line breaks."""
    text = value.get_secret_value().replace("\\n", "\n").strip()
    if not text:
        return SecretStr("")
    if not text.startswith("-----"):
        try:
            text = base64.b64decode(text, validate=True).decode("ascii").strip()
        except ValueError:
            text = ""
    # Slow to import, and needed only where a key is set.
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(text.encode(), password=None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return SecretStr(f"{text}\n")
    raise ValueError("must be the text of the .p8 file from App Store Connect, or its base64")


def _fingerprint(value: str, info: ValidationInfo) -> str:
    fingerprint = value.replace(":", "").lower()
    if not _FINGERPRINT.fullmatch(fingerprint):
        raise ValueError("must be a SHA-256 fingerprint: 64 hexadecimal digits")
    if fingerprint != ROOT_SHA256 and info.data.get("ENVIRONMENT") is not Environment.LOCAL:
        raise ValueError("must be empty outside local, where only Apple's own root certificate is trusted")
    return fingerprint


class AppleSettings(ModuleSettings):
    """The app, and the key of the App Store Server API."""

    APPLE_BUNDLE_ID: Annotated[str, AfterValidator(_bundle_id), RequiredOutsideLocal] = ""
    APPLE_APP_ID: Annotated[int, Field(ge=0), RequiredOutsideLocal] = 0
    APPLE_ISSUER_ID: Annotated[str, RequiredOutsideLocal] = ""
    APPLE_KEY_ID: Annotated[str, RequiredOutsideLocal] = ""
    APPLE_PRIVATE_KEY: Annotated[SecretStr, AfterValidator(_private_key), RequiredOutsideLocal] = SecretStr("")
    APPLE_API_URL: FakeStoreUrl = ""
    APPLE_ROOT_SHA256: Annotated[str, AfterValidator(_fingerprint)] = ROOT_SHA256

    @property
    def is_configured(self) -> bool:
        """Whether the App Store can be used. Always true outside local."""
        needed = (self.APPLE_BUNDLE_ID, self.APPLE_ISSUER_ID, self.APPLE_KEY_ID, self.APPLE_PRIVATE_KEY)
        return all(needed)
