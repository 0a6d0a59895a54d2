"""Request and response bodies of purchases in Google Play."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.google_iap.wire import Token


class GooglePurchaseLink(BaseModel):
    """A purchase of the current user."""

    model_config = ConfigDict(extra="forbid")

    purchase_token: Annotated[
        Token,
        Field(description="The token of the purchase: `Purchase.getPurchaseToken()` of the Play Billing Library."),
    ]
