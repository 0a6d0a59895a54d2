"""Links to this application that carry their own permission: signed, for one request on one object, for a time."""

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


class InvalidLinkError(ForbiddenError):
    """The link was altered, has expired, or is for another request."""

    code = "INVALID_LINK"

    def __init__(self, message: str = "The link is not valid.") -> None:
        super().__init__(message)


class Permission(BaseModel):
    """What a link permits besides method and key, as its query says it.

    Attributes:
        expires: seconds since 1970.
        type: the content type, which an upload has to have and a download is given.
        size: of an upload, in bytes, exactly.
        name: under which a download is saved.
    """

    model_config = ConfigDict(extra="forbid")

    expires: int = Field(ge=0, lt=2**40)
    type: str
    size: int | None = None
    name: str | None = None

    @property
    def expires_at(self) -> datetime:
        """When the link ends."""
        return datetime.fromtimestamp(self.expires, utc_now().tzinfo)


class SignedPermission(Permission):
    """The same with its signature."""

    signature: str


SignedQuery = Annotated[SignedPermission, Query()]


class LinkSigner:
    """Signs links with a key derived from SECRET_KEY, so that signatures made for another purpose are not accepted.

    Args:
        secrets: the first one signs; all of them verify.
    """

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._keys = [
            hmac.digest(secret.get_secret_value().encode(), b"links of the local storage", hashlib.sha256)
            for secret in secrets
        ]

    def sign(self, method: str, key: str, permission: Permission) -> SignedPermission:
        """The permission, signed for one method and object."""
        return SignedPermission(**permission.model_dump(), signature=_signature(self._keys[0], method, key, permission))

    def check(self, method: str, key: str, signed: SignedPermission) -> None:
        """Checks that the link is one of ours, for this request, and still good.

        Raises:
            InvalidLinkError: it is not.
        """
        given = signed.signature.encode(errors="replace")
        expected = [_signature(secret, method, key, signed) for secret in self._keys]
        if not any(hmac.compare_digest(one.encode(), given) for one in expected):
            raise InvalidLinkError
        if signed.expires <= utc_now().timestamp():
            raise InvalidLinkError("The link has expired; ask for a new one.")


def _signature(secret: bytes, method: str, key: str, permission: Permission) -> str:
    # A list in JSON: no two different links have the same text.
    facts = json.dumps([method, key, permission.expires, permission.type, permission.size, permission.name]).encode()
    return base64.urlsafe_b64encode(hmac.digest(secret, facts, hashlib.sha256)).rstrip(b"=").decode()
