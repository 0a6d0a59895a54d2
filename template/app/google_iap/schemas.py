"""Request and response bodies of purchases in Google Play."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app.google_iap.wire import MAX_TOKEN


class GooglePurchaseLink(BaseModel):
    """A purchase of the current user."""

    model_config = ConfigDict(extra="forbid")

    purchase_token: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_TOKEN,
            pattern=r"^[A-Za-z0-9._~-]+$",
            description="The token of the purchase: `Purchase.getPurchaseToken()` of the Play Billing Library.",
        ),
    ]
