"""Calls to the Stripe API: with deadlines, retries and a circuit breaker. Nothing here uses the database."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import uuid4

import stripe
from pydantic import BaseModel

from app.kit.resilience.errors import UnavailableError
from app.kit.resilience.resilient import Resilient
from app.payments.errors import BillingUnavailableError
from app.payments.port import ProviderUnavailableError
from app.stripe import wire
from app.stripe.errors import BillingNotConfiguredError, is_missing, is_transient, public_error, retry_after
from app.stripe.http import StripeHttpClient
from app.stripe.settings import StripeSettings

if TYPE_CHECKING:
    from stripe.params import (
        CustomerCreateParams,
        CustomerUpdateParams,
        InvoiceCreatePreviewParams,
        InvoiceListParams,
        SubscriptionCancelParams,
        SubscriptionListParams,
        SubscriptionUpdateParams,
    )
    from stripe.params.billing_portal import SessionCreateParams as PortalSessionCreateParams
    from stripe.params.checkout import SessionCreateParams

API_VERSION: Final = "2026-10-28.endive"
"""Pinned: an upgrade of the library must not change the shape of what Stripe sends."""
PAGE: Final = 100
SUBSCRIPTION_PARTS: Final = [
    "latest_invoice",
    "customer.invoice_settings.default_payment_method",
    "default_payment_method",
]

type Call = Callable[[stripe.StripeClient], Awaitable[object]]


class StripeApi:
    """The Stripe API of one account. Call `close` when it is no longer needed.

    Reads raise `ProviderUnavailableError`, or the library's error; `answering` turns them into errors for clients.
    """

    def __init__(self, settings: StripeSettings) -> None:
        self._http = StripeHttpClient()
        self._key = settings.STRIPE_SECRET_KEY.get_secret_value()
        self._client = stripe.StripeClient(
            self._key,
            stripe_version=API_VERSION,
            base_addresses={"api": settings.STRIPE_API_BASE, "meter_events": settings.STRIPE_API_BASE},
            http_client=self._http,
            max_network_retries=0,
        )
        self._resilient = Resilient("stripe", transient=is_transient, retry_after=retry_after, attempts=3)

    @property
    def is_configured(self) -> bool:
        """Whether there is a key."""
        return bool(self._key)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close_async()

    async def call(self, call: Call) -> dict[str, Any]:
        """Make a call, and retry it after a temporary failure. A call that writes has an idempotency key.

        Raises:
            BillingNotConfiguredError: there is no key.
            ProviderUnavailableError: Stripe doesn't answer.
            stripe.StripeError: Stripe rejects the call.
        """
        if not self._key:
            raise BillingNotConfiguredError
        try:
            result = await self._resilient.call(lambda: call(self._client))
        except (TimeoutError, UnavailableError) as error:
            raise ProviderUnavailableError(f"Stripe: {type(error).__name__}") from error
        except stripe.StripeError as error:
            if is_transient(error):
                raise ProviderUnavailableError(f"Stripe: {type(error).__name__}") from error
            raise
        return cast("stripe.StripeObject", result).to_dict()

    async def subscription(self, id_: str) -> wire.Subscription | None:
        """Return a subscription with its latest invoice, its customer and its payment method."""
        return await self._find(
            wire.Subscription,
            lambda client: client.v1.subscriptions.retrieve_async(id_, {"expand": SUBSCRIPTION_PARTS}),
        )

    async def subscriptions(
        self, *, customer: str | None = None, ended: bool = False
    ) -> AsyncIterator[wire.Subscription]:
        """Yield the subscriptions of a customer, or of all. A customer that Stripe doesn't have has none.

        Args:
            ended: whether to include those that have ended.
        """
        params: dict[str, Any] = {"limit": PAGE}
        if customer is not None:
            params["customer"] = customer
        if ended:
            params["status"] = "all"
        async for each in self._all(
            lambda client, page: client.v1.subscriptions.list_async(cast("SubscriptionListParams", {**params, **page}))
        ):
            yield wire.Subscription.model_validate(each)

    async def update_subscription(
        self, id_: str, params: "SubscriptionUpdateParams", *, key: str | None = None
    ) -> wire.Subscription:
        """Change a subscription."""
        options = _options(key)
        found = await self.call(lambda client: client.v1.subscriptions.update_async(id_, params, options))
        return wire.Subscription.model_validate(found)

    async def resume_subscription(self, id_: str) -> None:
        """Resume a subscription that is paused because its trial ended without a payment method."""
        await self.call(lambda client: client.v1.subscriptions.resume_async(id_, {}, _options(None)))

    async def cancel_subscription(self, id_: str) -> None:
        """End a subscription at once, and invoice its metered usage. Do nothing if it has ended, or doesn't exist."""
        params: SubscriptionCancelParams = {"invoice_now": True}
        options = _options(f"cancel/{id_}")
        try:
            await self.call(lambda client: client.v1.subscriptions.cancel_async(id_, params, options))
        except stripe.InvalidRequestError as error:
            if not is_missing(error):
                raise

    async def invoice(self, id_: str) -> wire.Invoice | None:
        """Return an invoice."""
        return await self._find(wire.Invoice, lambda client: client.v1.invoices.retrieve_async(id_))

    async def invoices(self, customer: str, *, limit: int, after: str | None) -> tuple[list[wire.Invoice], bool]:
        """Return a page of a customer's invoices, newest first, and whether there are more."""
        params: Any = {"customer": customer, "limit": limit}
        if after is not None:
            params["starting_after"] = after
        page = await self._page(lambda client: client.v1.invoices.list_async(params))
        return [wire.Invoice.model_validate(item) for item in page["data"]], bool(page["has_more"])

    async def invoices_of(self, subscription: str) -> AsyncIterator[wire.Invoice]:
        """Yield the invoices of a subscription, newest first."""
        params: dict[str, Any] = {"subscription": subscription, "limit": PAGE}
        async for each in self._all(
            lambda client, page: client.v1.invoices.list_async(cast("InvoiceListParams", {**params, **page}))
        ):
            yield wire.Invoice.model_validate(each)

    async def invoice_payments(self, invoice: str) -> Sequence[wire.InvoicePayment]:
        """Return the payments of an invoice, with their charges."""
        expand = ["data.payment.payment_intent.latest_charge"]
        page = await self.call(
            lambda client: client.v1.invoice_payments.list_async({"invoice": invoice, "limit": 10, "expand": expand})
        )
        return [wire.InvoicePayment.model_validate(item) for item in page["data"]]

    async def preview(self, params: "InvoiceCreatePreviewParams") -> wire.Invoice:
        """Return the invoice that a change would cause."""
        return wire.Invoice.model_validate(
            await self.call(lambda client: client.v1.invoices.create_preview_async(params))
        )

    async def charge(self, id_: str) -> wire.Charge | None:
        """Return a charge."""
        return await self._find(wire.Charge, lambda client: client.v1.charges.retrieve_async(id_))

    async def disputes(self, charge: str) -> list[wire.Dispute]:
        """Return the disputes of a charge."""
        page = await self.call(lambda client: client.v1.disputes.list_async({"charge": charge, "limit": PAGE}))
        return [wire.Dispute.model_validate(item) for item in page["data"]]

    async def price(self, id_: str) -> wire.Price | None:
        """Return a price."""
        return await self._find(wire.Price, lambda client: client.v1.prices.retrieve_async(id_))

    async def prices(self, lookup_keys: Sequence[str]) -> list[wire.Price]:
        """Return the active prices with these lookup keys."""
        # The API takes ten keys at a time.
        found: list[wire.Price] = []
        for start in range(0, len(lookup_keys), 10):
            keys = list(lookup_keys[start : start + 10])
            page = await self.call(
                lambda client, keys=keys: client.v1.prices.list_async(  # type: ignore[misc] # bound per page
                    {"lookup_keys": keys, "active": True, "limit": PAGE}
                )
            )
            found.extend(wire.Price.model_validate(item) for item in page["data"])
        return found

    async def update_customer(self, id_: str, params: "CustomerUpdateParams") -> None:
        """Change a customer."""
        await self.call(lambda client: client.v1.customers.update_async(id_, params, _options(None)))

    async def create_customer(self, params: "CustomerCreateParams", *, key: str) -> wire.Customer:
        """Create a customer, once per key."""
        options = _options(key)
        return wire.Customer.model_validate(
            await self.call(lambda client: client.v1.customers.create_async(params, options))
        )

    async def create_checkout(self, params: "SessionCreateParams", *, key: str) -> wire.CheckoutSession:
        """Create a session of Stripe Checkout, once per key."""
        options = _options(key)
        return wire.CheckoutSession.model_validate(
            await self.call(lambda client: client.v1.checkout.sessions.create_async(params, options))
        )

    async def checkout(self, id_: str) -> wire.CheckoutSession | None:
        """Return a session of Stripe Checkout."""
        return await self._find(wire.CheckoutSession, lambda client: client.v1.checkout.sessions.retrieve_async(id_))

    async def checkouts(self, customer: str) -> list[wire.CheckoutSession]:
        """Return a customer's latest sessions of Stripe Checkout, newest first."""
        page = await self._page(
            lambda client: client.v1.checkout.sessions.list_async({"customer": customer, "limit": 20})
        )
        return [wire.CheckoutSession.model_validate(item) for item in page["data"]]

    async def expire_checkout(self, id_: str) -> None:
        """Close an open session. Does nothing if it is no longer open."""
        try:
            await self.call(lambda client: client.v1.checkout.sessions.expire_async(id_, {}, _options(f"expire/{id_}")))
        except stripe.InvalidRequestError:
            return

    async def create_portal(self, params: "PortalSessionCreateParams") -> wire.PortalSession:
        """Create a session of the customer portal."""
        options = _options(None)
        return wire.PortalSession.model_validate(
            await self.call(lambda client: client.v1.billing_portal.sessions.create_async(params, options))
        )

    async def _find[M: BaseModel](self, model: type[M], call: Call) -> M | None:
        try:
            return model.model_validate(await self.call(call))
        except stripe.InvalidRequestError as error:
            if is_missing(error):
                return None
            raise

    async def _page(self, call: Call) -> dict[str, Any]:
        """Return a page of a list. It is empty if Stripe doesn't have the customer whose objects it lists.

        A customer is missing after it was deleted there, and when the key is that of another account.
        """
        try:
            return await self.call(call)
        except stripe.InvalidRequestError as error:
            if is_missing(error, "customer"):
                return {"data": [], "has_more": False}
            raise

    async def _all(
        self, list_page: Callable[[stripe.StripeClient, Mapping[str, str]], Awaitable[object]]
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield every object of a list. Each page is a call of its own, with its own deadline and retries."""
        after: dict[str, str] = {}
        while True:
            page = await self._page(lambda client, after=after: list_page(client, after))  # type: ignore[misc] # bound per page
            for item in page["data"]:
                yield item
            if not page["has_more"] or not page["data"]:
                return
            after = {"starting_after": page["data"][-1]["id"]}


def _options(key: str | None) -> stripe.RequestOptions:
    """Return the idempotency key of a call that writes: a random one still makes its own retries safe."""
    return {"idempotency_key": key or str(uuid4())}


async def answering[T](work: Awaitable[T]) -> T:
    """Await calls to Stripe in a route, and turn their failures into errors for the client.

    Raises:
        BillingUnavailableError: Stripe doesn't answer.
        PaymentFailedError: a payment was declined.
        BillingRejectedError: Stripe rejects the call.
    """
    try:
        return await work
    except ProviderUnavailableError as error:
        raise BillingUnavailableError from error
    except stripe.StripeError as error:
        raise public_error(error) from error
