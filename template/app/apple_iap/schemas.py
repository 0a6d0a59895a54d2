"""Request and response bodies of purchases in the App Store."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

MAX_SIGNED_TRANSACTION = 32 * 1024
MAX_SIGNED_PAYLOAD = 128 * 1024
_JWS = r"^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$"


class PurchaseLink(BaseModel):
    """A purchase of the current user."""

    model_config = ConfigDict(extra="forbid")

    signed_transaction: Annotated[
        str,
        Field(
            max_length=MAX_SIGNED_TRANSACTION,
            pattern=_JWS,
            description="The transaction as StoreKit signed it: `VerificationResult.jwsRepresentation`.",
        ),
    ]


class NotificationBody(BaseModel):
    """The body of a Server Notification V2 (https://developer.apple.com/documentation/appstoreservernotifications)."""

    signedPayload: Annotated[str, Field(max_length=MAX_SIGNED_PAYLOAD)]  # noqa: N815 - Apple's name
