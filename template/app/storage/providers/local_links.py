"""Links to this application that carry their own permission: signed, for one request on one object, for a time."""

import base64
import hashlib
import hmac
import json
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
    """Signs with a key of its own that follows from SECRET_KEY, so that no other signature passes for one of its."""

    def __init__(self, secret: SecretStr) -> None:
        self._key = hmac.digest(secret.get_secret_value().encode(), b"links of the local storage", hashlib.sha256)

    def sign(self, method: str, key: str, permission: Permission) -> SignedPermission:
        """The permission, signed for one method and object."""
        return SignedPermission(**permission.model_dump(), signature=self._signature(method, key, permission))

    def check(self, method: str, key: str, signed: SignedPermission) -> None:
        """Checks that the link is one of ours, for this request, and still good.

        Raises:
            InvalidLinkError: it is not.
        """
        expected = self._signature(method, key, signed)
        if not hmac.compare_digest(expected.encode(), signed.signature.encode(errors="replace")):
            raise InvalidLinkError
        if signed.expires <= utc_now().timestamp():
            raise InvalidLinkError("The link has expired; ask for a new one.")

    def _signature(self, method: str, key: str, permission: Permission) -> str:
        # A list in JSON: no two different links read the same.
        facts = json.dumps(
            [method, key, permission.expires, permission.type, permission.size, permission.name]
        ).encode()
        return base64.urlsafe_b64encode(hmac.digest(self._key, facts, hashlib.sha256)).rstrip(b"=").decode()
