"""Purchases with Stripe Checkout."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from uuid import UUID

import stripe

from app.core.errors import NotFoundError
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.errors import BillingUnavailableError
from app.payments.port import SubscriptionStatus
from app.payments.repository import SubscriptionRepository
from app.stripe import wire
from app.stripe.api import StripeApi
from app.stripe.customers import customer_of, digest, ensure_customer, forget_customer
from app.stripe.errors import AlreadySubscribedError, SubscriptionUnpaidError, is_missing
from app.stripe.prices import StripePrices
from app.stripe.provider import StripeProvider
from app.stripe.return_urls import check_return_url
from app.stripe.schemas import CheckoutCreate
from app.stripe.settings import StripeSettings
from app.stripe.snapshots import NAME, USER_KEY

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams, SessionCreateParamsLineItem

SESSION: Final = "session_id={CHECKOUT_SESSION_ID}"
DIGEST: Final = "digest"
"""The key in a session's metadata that tells whether it is for the same purchase."""
ENDED: Final = frozenset({"canceled", "incomplete_expired"})
UNPAID: Final = frozenset({"incomplete", "past_due", "unpaid"})


@dataclass(frozen=True, slots=True)
class Checkout:
    """Purchases of one user. No database connection is held during the calls to Stripe."""

    runtime: Runtime
    user_id: UUID

    async def start(self, data: CheckoutCreate) -> wire.CheckoutSession:
        """Return an open session for a purchase. Repeated and parallel requests get the same session.

        Raises:
            AlreadySubscribedError: the user has a subscription at Stripe.
            SubscriptionUnpaidError: the user has one that is not paid.
            ForeignOriginError: a return URL leads to another site.
            UnknownPriceError: the plan is not sold at this interval.
        """
        success, cancel = self._return_urls(data)
        prices = self.runtime.resource(StripePrices)
        items: list[SessionCreateParamsLineItem] = [
            {"price": await prices.id_of(data.plan, data.interval), "quantity": data.quantity}
        ]
        items.extend({"price": id_} for id_ in await prices.metered_ids(data.interval))
        customer = await ensure_customer(self.runtime, self._api, self.user_id)
        try:
            return await self._session_of(customer, data, items, success, cancel)
        except stripe.InvalidRequestError as error:
            if not is_missing(error, "customer"):
                raise
        # Someone deleted the customer at Stripe.
        await forget_customer(self.runtime, customer)
        customer = await ensure_customer(self.runtime, self._api, self.user_id, replaces=customer)
        return await self._session_of(customer, data, items, success, cancel)

    async def finish(self, session_id: str) -> None:
        """Store the subscription that a session created, without waiting for the webhook.

        Raises:
            NotFoundError: there is no such session, or it belongs to another user.
        """
        session = await self._api.checkout(session_id)
        if session is None or session.client_reference_id != str(self.user_id):
            raise NotFoundError("Checkout session", session_id)
        await store_session(self.runtime, session)

    async def _session_of(
        self, customer: str, data: CheckoutCreate, items: "list[SessionCreateParamsLineItem]", success: str, cancel: str
    ) -> wire.CheckoutSession:
        trial_days = await self._trial_days(customer, data.plan)
        params = self._params(customer, items, trial_days)
        params |= {"success_url": success, "cancel_url": cancel}
        purchase = digest(params)
        params["metadata"] = {USER_KEY: str(self.user_id), DIGEST: purchase}
        sessions = await self._api.checkouts(customer)
        is_open = [each for each in sessions if each.status == "open"]
        same = next((each for each in is_open if each.metadata.get(DIGEST) == purchase), None)
        if same is None:
            # Parallel requests see the same latest session, hence use the same key; later requests use another.
            latest = sessions[0].id if sessions else "first"
            same = await self._api.create_checkout(params, key=f"checkout/{self.user_id}/{latest}/{purchase}")
            sessions = await self._api.checkouts(customer)
        return await self._only_open(sessions, same)

    async def _only_open(
        self, sessions: Sequence[wire.CheckoutSession], created: wire.CheckoutSession
    ) -> wire.CheckoutSession:
        """Close all open sessions but the newest, so that a user cannot buy twice, or get two trials."""
        is_open = [each for each in sessions if each.status == "open"]
        newest = is_open[0] if is_open else created
        for other in is_open[1:]:
            await self._api.expire_checkout(other.id)
        return newest

    async def _trial_days(self, customer: str, plan: str) -> int:
        """Return the days of the trial: none if the user ever had one, of whatever plan.

        Raises:
            AlreadySubscribedError: the customer has a subscription. Stripe is asked, since an event may be on its way.
            SubscriptionUnpaidError: it is not paid, or was refunded.
        """
        async with self.runtime.database.reading() as session:
            rows = await SubscriptionRepository(session).of_user(self.user_id, NAME)
        # The customer may be a new one, because someone deleted the former one at Stripe.
        used = any(row.trial_end is not None for row in rows)
        refunded = {row.provider_id for row in rows if row.status is SubscriptionStatus.REFUNDED}
        async for subscription in self._api.subscriptions(customer=customer, ended=True):
            if subscription.status in UNPAID or subscription.id in refunded:
                raise SubscriptionUnpaidError(await self._open_invoice(subscription.id))
            if subscription.status not in ENDED:
                raise AlreadySubscribedError
            used = used or subscription.trial_start is not None
        return 0 if used else self.runtime.resource(StripePrices).catalog.get(plan).trial_days

    async def _open_invoice(self, subscription_id: str) -> str | None:
        """Return the page on which the latest invoice of a subscription can be paid."""
        subscription = await self._api.subscription(subscription_id)
        invoice = None if subscription is None else subscription.latest_invoice
        return invoice.hosted_invoice_url if isinstance(invoice, wire.Invoice) and invoice.status == "open" else None

    def _params(
        self, customer: str, items: "list[SessionCreateParamsLineItem]", trial_days: int
    ) -> "SessionCreateParams":
        params: SessionCreateParams = {
            "mode": "subscription",
            "customer": customer,
            "client_reference_id": str(self.user_id),
            "line_items": items,
            "allow_promotion_codes": True,
            # Classic subscriptions, the default of older accounts, lose the usage before a change of a metered price:
            # https://docs.stripe.com/billing/subscriptions/usage-based/manage-billing-setup
            "subscription_data": {
                "billing_mode": {"type": "flexible"},
                "metadata": {USER_KEY: str(self.user_id)},
            },
        }
        if trial_days:
            params["subscription_data"] |= {
                "trial_period_days": trial_days,
                "trial_settings": {"end_behavior": {"missing_payment_method": "cancel"}},
            }
        if self.runtime.resource(StripeSettings).STRIPE_AUTOMATIC_TAX:
            params["automatic_tax"] = {"enabled": True}
            params["tax_id_collection"] = {"enabled": True}
            params["customer_update"] = {"address": "auto", "name": "auto"}
        return params

    def _return_urls(self, data: CheckoutCreate) -> tuple[str, str]:
        settings = self.runtime.settings
        page = f"{settings.public_api_url}/public/billing/return"
        success = check_return_url(settings, data.success_url or page)
        cancel = check_return_url(settings, data.cancel_url or f"{page}?cancelled=true")
        if "{CHECKOUT_SESSION_ID}" not in success:
            path, hash_, fragment = success.partition("#")
            success = f"{path}{'&' if '?' in path else '?'}{SESSION}{hash_}{fragment}"
        return success, cancel

    @property
    def _api(self) -> StripeApi:
        return self.runtime.resource(StripeApi)


async def store_session(runtime: Runtime, session: wire.CheckoutSession) -> bool:
    """Store the subscription of a session. Return whether the session is complete.

    Raises:
        BillingUnavailableError: the session is complete, and its subscription is not there yet.
    """
    if session.status != "complete":
        return False
    if session.subscription is None:
        raise BillingUnavailableError
    await converge(runtime, runtime.resource(StripeProvider), session.subscription)
    return True


async def close_checkouts(runtime: Runtime, user_id: UUID) -> None:
    """Close the open sessions of a user who is about to be erased, so that nothing is bought afterwards.

    Raises:
        ProviderUnavailableError: Stripe doesn't answer. Then the user is not erased.
    """
    customer = await customer_of(runtime, user_id)
    if customer is None:
        return
    api = runtime.resource(StripeApi)
    for session in await api.checkouts(customer):
        if session.status == "open":
            await api.expire_checkout(session.id)
