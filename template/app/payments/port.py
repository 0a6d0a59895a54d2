"""The port for payment providers: the interface of a provider, its data of a subscription, and the registry."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from app.core.runtime import Runtime

if TYPE_CHECKING:
    from app.payments.models import Subscription


class SubscriptionStatus(StrEnum):
    """The status of a subscription, independent of the provider.

    A cancelled subscription gives access until the end of the period that was paid; an expired one gives none.
    """

    TRIALING = "trialing"
    ACTIVE = "active"
    PAST_DUE = "past_due"
    """A renewal failed and is being retried. Access lasts until the end of the grace period."""
    PAUSED = "paused"
    """It neither renews nor ends. Access lasts until the end of the paid period, if the provider reports one."""
    CANCELLED = "cancelled"
    """It does not renew, and the paid period has not ended."""
    EXPIRED = "expired"
    REFUNDED = "refunded"
    """The last payment was returned to the customer, or is disputed."""
    PENDING = "pending"
    """The first payment is not complete."""


GIVES_ACCESS: Final = frozenset(
    {
        SubscriptionStatus.TRIALING,
        SubscriptionStatus.ACTIVE,
        SubscriptionStatus.PAST_DUE,
        SubscriptionStatus.PAUSED,
        SubscriptionStatus.CANCELLED,
    }
)
"""The statuses in which a subscription gives access until `access_until`."""


class NoticeKind(StrEnum):
    """The kinds of notices that users receive about their subscriptions."""

    TRIAL_ENDS = "trial_ends"
    PAYMENT_FAILED = "payment_failed"
    ACTION_REQUIRED = "action_required"
    CARD_EXPIRES = "card_expires"
    RECEIPT = "receipt"
    PLAN_CHANGED = "plan_changed"
    ENDED = "ended"


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A notice to a user about a subscription.

    Attributes:
        key: identifies the reason of the notice, such as the id of the invoice. One notice is sent for each key.
        url: the page on which the user can act, such as the hosted invoice.
        detail: a fact that the text mentions, such as the amount.
    """

    kind: NoticeKind
    key: str
    url: str | None = None
    detail: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SubscriptionSnapshot:
    """The state of one subscription at its provider, at one time.

    Attributes:
        provider: the provider's name.
        provider_id: the provider's id of the subscription, which stays the same when it renews.
        user_id: the user whom the provider names. If it is `None`, the subscription keeps its user, or is parked until
            a user links it.
        plan: the name of the plan in app/plans/plans.toml. `None` if no plan contains the product: the subscription
            gives no access.
        access_until: the end of access, which is the end of the paid period or of the grace period. `None`: no access.
        product: the lookup key of the price, or the store's product id.
        sandbox: whether the subscription was bought without real money. Then it gives no access in production.
        taken_at: when the provider made the snapshot, or when the request for it was sent.
        customer_id: the provider's id of the customer, where there is one.
        email: the customer's address at the provider. It is stored only while the subscription is parked.
        notices: the notices for which the provider's data is necessary: receipts, required actions, expiring cards. The
            other notices follow from changes of the subscription.
    """

    provider: str
    provider_id: str
    user_id: UUID | None
    plan: str | None
    status: SubscriptionStatus
    access_until: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    taken_at: datetime
    cancel_at_period_end: bool = False
    trial_end: datetime | None = None
    grace_end: datetime | None = None
    quantity: int = 1
    sandbox: bool = False
    product: str | None = None
    customer_id: str | None = None
    email: str | None = None
    notices: tuple[Notice, ...] = ()


class ProviderUnavailableError(Exception):
    """The payment provider does not answer, or answers with a temporary error. A later attempt may succeed."""


class BillingProvider(Protocol):
    """A payment provider. `app.payments.convergence.converge` is the only caller of `fetch`."""

    @property
    def name(self) -> str:
        """The provider's name, as in `SubscriptionSnapshot.provider`."""
        ...

    async def fetch(self, runtime: Runtime, provider_id: str) -> SubscriptionSnapshot | None:
        """Fetch the current state of a subscription. The caller holds no database connection.

        Returns:
            `None` if the provider has no such subscription.

        Raises:
            ProviderUnavailableError: the provider doesn't answer.
        """
        ...

    def all_ids(self, runtime: Runtime) -> AsyncIterator[str] | None:
        """Return the ids of all subscriptions at the provider; `None` if it cannot list them.

        For `None`, only the stored subscriptions are reconciled.
        """
        ...

    def ids_of(self, runtime: Runtime, user_id: UUID) -> AsyncIterator[str] | None:
        """Return the ids of a user's subscriptions at the provider; `None` if it cannot list them by user."""
        ...

    async def end_for_erasure(self, runtime: Runtime, subscription: "Subscription") -> None:
        """End the subscription at once, because its user is erased. Idempotent.

        Do nothing if it has ended, or if the provider doesn't know it. A refunded subscription may still renew. A
        provider whose API cannot cancel documents what happens instead.

        Raises:
            Exception: the subscription could not be ended. The user is not erased, and the erasure is retried.
        """
        ...


class BillingProviders:
    """The payment providers of the running application, as a resource of the runtime.

    A provider's module registers it in its lifespan: `runtime.resource(BillingProviders).add(MyProvider(…))`.
    """

    def __init__(self) -> None:
        self._providers: dict[str, BillingProvider] = {}

    def add(self, provider: BillingProvider) -> None:
        """Register a provider.

        Raises:
            ValueError: another provider has the same name.
        """
        if provider.name in self._providers:
            raise ValueError(f"Two payment providers are named {provider.name}.")
        self._providers[provider.name] = provider

    def get(self, name: str) -> BillingProvider:
        """Return the provider of this name.

        Raises:
            LookupError: no module has registered a provider of this name.
        """
        if name not in self._providers:
            raise LookupError(f"No payment provider is named {name}.")
        return self._providers[name]

    def __contains__(self, name: str) -> bool:
        """Return whether a provider of this name is registered."""
        return name in self._providers

    def __iter__(self) -> Iterator[BillingProvider]:
        """Return all providers, in the order of their registration."""
        return iter(self._providers.values())
