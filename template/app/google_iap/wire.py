"""Bodies that Google sends: subscriptions, voided purchases, notifications. Unknown fields and values are accepted.

See https://developers.google.com/android-publisher/api-ref/rest/v3/purchases.subscriptionsv2 and
https://developer.android.com/google/play/billing/rtdn-reference.
"""

from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

MAX_TOKEN: Final = 1024
"""Characters of a purchase token. Google's have about 150."""
MAX_ORDER_ID: Final = 100

Token = Annotated[str, Field(max_length=MAX_TOKEN, pattern=r"^[A-Za-z0-9._~-]*[A-Za-z0-9_~-][A-Za-z0-9._~-]*$")]
"""A purchase token. It is a segment of a URL, so it is not `.` or `..`, which would lead to another address."""
OrderId = Annotated[str, Field(max_length=MAX_ORDER_ID, pattern=r"^[!-~]*$")]
Present = dict[str, object] | None
"""An object whose presence is the statement."""


class _Wire(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="ignore", hide_input_in_errors=True)


class AccountIdentifiers(_Wire):
    """The user whom the app named when the purchase was made."""

    obfuscated_external_account_id: str | None = None


class OfferDetails(_Wire):
    """The base plan of a line item."""

    base_plan_id: str | None = None


class OfferPhase(_Wire):
    """The phase of an offer: only the trial matters here."""

    free_trial: Present = None


class LineItem(_Wire):
    """A product of a subscription."""

    product_id: Annotated[str, Field(max_length=255)]
    expiry_time: datetime | None = None
    latest_successful_order_id: OrderId | None = None
    offer_details: OfferDetails = OfferDetails()
    offer_phase: OfferPhase = OfferPhase()
    prepaid_plan: Present = None


class CanceledStateContext(_Wire):
    """The reason for a cancellation."""

    replacement_cancellation: Present = None


class OutOfAppPurchaseContext(_Wire):
    """The expired subscription that was bought again outside the app. Missing once the purchase is acknowledged."""

    expired_external_account_identifiers: AccountIdentifiers = AccountIdentifiers()
    expired_purchase_token: Token | None = None


class SubscriptionPurchase(_Wire):
    """A subscription as `purchases.subscriptionsv2.get` describes it."""

    subscription_state: str
    line_items: Annotated[tuple[LineItem, ...], Field(min_length=1, max_length=100)]
    start_time: datetime | None = None
    latest_order_id: OrderId | None = None
    linked_purchase_token: Token | None = None
    acknowledgement_state: str = ""
    canceled_state_context: CanceledStateContext = CanceledStateContext()
    external_account_identifiers: AccountIdentifiers = AccountIdentifiers()
    out_of_app_purchase_context: OutOfAppPurchaseContext | None = None
    test_purchase: Present = None

    @property
    def account(self) -> str | None:
        """The user whom the app named, at this purchase or at the expired one that it continues."""
        context = self.out_of_app_purchase_context or OutOfAppPurchaseContext()
        expired = context.expired_external_account_identifiers
        ids = self.external_account_identifiers
        return ids.obfuscated_external_account_id or expired.obfuscated_external_account_id

    @property
    def replaced_token(self) -> str | None:
        """The token of the purchase that this one replaces or continues."""
        context = self.out_of_app_purchase_context or OutOfAppPurchaseContext()
        return self.linked_purchase_token or context.expired_purchase_token

    @property
    def needs_acknowledgement(self) -> bool:
        """Whether Google refunds the purchase unless it is acknowledged within three days."""
        return self.acknowledgement_state == "ACKNOWLEDGEMENT_STATE_PENDING"


class VoidedPurchase(_Wire):
    """An order that was refunded, charged back or revoked."""

    purchase_token: Token
    order_id: OrderId


class TokenPagination(_Wire):
    """The reference to the next page."""

    next_page_token: str | None = None


class VoidedPurchases(_Wire):
    """A page of `purchases.voidedpurchases.list`."""

    voided_purchases: tuple[VoidedPurchase, ...] = ()
    token_pagination: TokenPagination = TokenPagination()


class SubscriptionNotification(_Wire):
    """A change of a subscription."""

    notification_type: int
    purchase_token: Token


class VoidedPurchaseNotification(_Wire):
    """A purchase whose order was voided.

    Attributes:
        product_type: 1 for a subscription.
    """

    purchase_token: Token
    order_id: OrderId
    product_type: int


class DeveloperNotification(_Wire):
    """A real-time developer notification: the decoded data of a Pub/Sub message."""

    package_name: Annotated[str, Field(max_length=255)]
    subscription_notification: SubscriptionNotification | None = None
    voided_purchase_notification: VoidedPurchaseNotification | None = None
    one_time_product_notification: Present = None
    test_notification: Present = None


class PubSubMessage(_Wire):
    """A message of Pub/Sub.

    Attributes:
        data: the notification in base64.
    """

    message_id: Annotated[str, Field(min_length=1, max_length=255)]
    data: Annotated[str, Field(max_length=64 * 1024)] = ""


class PushBody(_Wire):
    """The body of a push request (https://cloud.google.com/pubsub/docs/push)."""

    message: PubSubMessage
