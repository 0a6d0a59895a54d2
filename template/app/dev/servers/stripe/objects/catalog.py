"""Products, prices, coupons and promotion codes."""

from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import HIDDEN, Json, Metadata, Resource

type Interval = Literal["day", "week", "month", "year"]
type TaxBehavior = Literal["exclusive", "inclusive", "unspecified"]

INTERVALS: tuple[Interval, ...] = ("day", "week", "month", "year")
TAX_BEHAVIORS: tuple[TaxBehavior, ...] = ("exclusive", "inclusive", "unspecified")


@dataclass(kw_only=True)
class Product(Resource):
    """Something that is sold."""

    OBJECT: ClassVar[str] = "product"
    PREFIX: ClassVar[str] = "prod"
    PATH: ClassVar[str] = "/v1/products"
    EXPANDS: ClassVar[dict[str, str]] = {"default_price": "price"}

    name: str
    updated: int
    active: bool = True
    default_price: str | None = None
    description: str | None = None
    images: list[str] = field(default_factory=list)
    marketing_features: list[Json] = field(default_factory=list)
    metadata: Metadata = field(default_factory=dict)
    package_dimensions: None = None
    shippable: bool | None = None
    statement_descriptor: str | None = None
    tax_code: str | None = None
    type: Literal["service"] = "service"
    unit_label: str | None = None
    url: str | None = None


@dataclass(kw_only=True)
class Recurring:
    """The billing interval of a price."""

    interval: Interval
    interval_count: int = 1
    meter: str | None = None
    trial_period_days: int | None = None
    usage_type: Literal["licensed", "metered"] = "licensed"


@dataclass(kw_only=True)
class Price(Resource):
    """A price of a product."""

    OBJECT: ClassVar[str] = "price"
    PREFIX: ClassVar[str] = "price"
    PATH: ClassVar[str] = "/v1/prices"
    EXPANDS: ClassVar[dict[str, str]] = {"product": "product"}

    currency: str
    product: str
    active: bool = True
    billing_scheme: Literal["per_unit"] = "per_unit"
    custom_unit_amount: None = None
    lookup_key: str | None = None
    metadata: Metadata = field(default_factory=dict)
    nickname: str | None = None
    recurring: Recurring | None = None
    tax_behavior: TaxBehavior = "unspecified"
    tiers_mode: None = None
    transform_quantity: None = None
    type: Literal["one_time", "recurring"] = "recurring"
    unit_amount: int | None = None
    unit_amount_decimal: str | None = None

    @property
    def is_metered(self) -> bool:
        """Whether the amount depends on a meter."""
        return self.recurring is not None and self.recurring.usage_type == "metered"

    @property
    def exact_amount(self) -> Decimal:
        """The price of one unit, which may be a fraction of the currency's smallest unit."""
        return Decimal(self.unit_amount_decimal or self.unit_amount or 0)

    def amount_of(self, quantity: int | None) -> int:
        """Return the price of a quantity, rounded to the currency's smallest unit."""
        return int((self.exact_amount * (quantity or 0)).to_integral_value(ROUND_HALF_UP))


@dataclass(kw_only=True)
class Coupon(Resource):
    """A discount."""

    OBJECT: ClassVar[str] = "coupon"
    PREFIX: ClassVar[str] = "coupon"
    PATH: ClassVar[str] = "/v1/coupons"

    amount_off: int | None = None
    currency: str | None = None
    duration: Literal["forever", "once", "repeating"] = "once"
    duration_in_months: int | None = None
    max_redemptions: int | None = None
    metadata: Metadata = field(default_factory=dict)
    name: str | None = None
    percent_off: float | None = None
    redeem_by: int | None = None
    times_redeemed: int = 0
    valid: bool = True


@dataclass(kw_only=True)
class Promotion:
    """The coupon that a promotion code grants."""

    coupon: str
    type: Literal["coupon"] = "coupon"


@dataclass(kw_only=True)
class Restrictions:
    """The conditions for using a promotion code."""

    first_time_transaction: bool = False
    minimum_amount: int | None = None
    minimum_amount_currency: str | None = None


@dataclass(kw_only=True)
class PromotionCode(Resource):
    """A code that customers enter to get a discount."""

    OBJECT: ClassVar[str] = "promotion_code"
    PREFIX: ClassVar[str] = "promo"
    PATH: ClassVar[str] = "/v1/promotion_codes"

    code: str
    promotion: Promotion
    active: bool = True
    customer: str | None = None
    customer_account: None = None
    expires_at: int | None = None
    max_redemptions: int | None = None
    metadata: Metadata = field(default_factory=dict)
    restrictions: Restrictions = field(default_factory=Restrictions)
    times_redeemed: int = 0


@dataclass(kw_only=True)
class DiscountSource:
    """The source of a discount."""

    coupon: str
    type: Literal["coupon"] = "coupon"


@dataclass(kw_only=True)
class Discount(Resource):
    """A discount of a subscription. It has no path of its own."""

    OBJECT: ClassVar[str] = "discount"
    PREFIX: ClassVar[str] = "di"
    PATH: ClassVar[str] = ""

    created: int = field(metadata=HIDDEN)
    livemode: bool = field(default=False, metadata=HIDDEN)
    customer: str
    source: DiscountSource
    start: int
    checkout_session: str | None = None
    customer_account: None = None
    end: int | None = None
    invoice: str | None = None
    invoice_item: str | None = None
    promotion_code: str | None = None
    subscription: str | None = None
    subscription_item: str | None = None
