"""Stripe: checkout, the customer portal, changes of plan, invoices and the webhook."""

from app.core.manifest import Module
from app.stripe.models import StripeCustomer
from app.stripe.settings import StripeSettings

module = Module(name="stripe", models=(StripeCustomer,), settings=(StripeSettings,))
