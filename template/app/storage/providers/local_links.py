"""Signed links to this application: each permits one request on one object for a limited time."""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from app.core.db.models import utc_now
from app.core.errors import ForbiddenError
from app.kit.derived_key import derived_key


class InvalidLinkError(ForbiddenError):
    """The link is invalid, has expired, or is for a different request."""

    code = "INVALID_LINK"

    def __init__(self, message: str = "The link is invalid.") -> None:
        super().__init__(message)


class Permission(BaseModel):
    """The permission of a link besides its method and key: its query parameters.

    Attributes:
        expires: the Unix timestamp of its expiry.
        type: the content type that an upload must have, or that a download gets.
        size: the exact size of an upload, in bytes.
        name: the name under which a download is saved.
    """

    model_config = ConfigDict(extra="forbid")

    expires: int = Field(ge=0, lt=2**40)
    type: str
    size: int | None = None
    name: str | None = None

    @property
    def expires_at(self) -> datetime:
        """The time of its expiry."""
        return datetime.fromtimestamp(self.expires, utc_now().tzinfo)


class SignedPermission(Permission):
    """A permission with its signature."""

    signature: str


SignedQuery = Annotated[SignedPermission, Query()]


class LinkSigner:
    """A signer with its own key, derived from SECRET_KEY: no other signature of the application is valid for a link.

    Args:
        secrets: the first one signs; all of them verify.
    """

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._keys = [derived_key(secret, "links of the local storage") for secret in secrets]

    def sign(self, method: str, key: str, permission: Permission) -> SignedPermission:
        """Sign a permission for one method and key."""
        return SignedPermission(**permission.model_dump(), signature=_signature(self._keys[0], method, key, permission))

    def check(self, method: str, key: str, signed: SignedPermission) -> None:
        """Check the link's signature and expiry.

        Raises:
            InvalidLinkError: the link is not valid for this request.
        """
        given = signed.signature.encode(errors="replace")
        expected = [_signature(secret, method, key, signed) for secret in self._keys]
        if not any(hmac.compare_digest(one.encode(), given) for one in expected):
            raise InvalidLinkError
        if signed.expires <= utc_now().timestamp():
            raise InvalidLinkError("The link has expired. Request a new one.")


def _signature(secret: bytes, method: str, key: str, permission: Permission) -> str:
    # A list in JSON: no two different links have the same text.
    facts = json.dumps([method, key, permission.expires, permission.type, permission.size, permission.name]).encode()
    return base64.urlsafe_b64encode(hmac.digest(secret, facts, hashlib.sha256)).rstrip(b"=").decode()
