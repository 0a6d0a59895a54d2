"""Subscribers of Stripe to events of other modules."""

import stripe

from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.stripe.customers import customer_of, forget_customer
from app.stripe.errors import is_missing
from app.users.events import EmailChanged
from app.users.models import User


async def on_email_changed(runtime: Runtime, event: EmailChanged) -> None:
    """Give the user's customer at Stripe the user's current address, to which Stripe sends invoices.

    Raises:
        ProviderUnavailableError: Stripe doesn't answer. The event is delivered again.
    """
    customer = await customer_of(runtime, event.user_id)
    api = runtime.resource(StripeApi)
    if customer is None or not api.is_configured:
        return
    async with runtime.database.reading() as session:
        user = await session.get(User, event.user_id)
    if user is None or user.email is None:
        return
    try:
        await api.update_customer(customer, {"email": user.email})
    except stripe.InvalidRequestError as error:
        if not is_missing(error):
            raise
        await forget_customer(runtime, customer)
