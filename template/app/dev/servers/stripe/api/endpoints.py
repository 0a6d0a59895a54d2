"""The table of the API's endpoints."""

from app.dev.servers.stripe.api import (
    catalog,
    checkout,
    customers,
    invoices,
    meters,
    portal,
    subscriptions,
    thin,
    webhooks,
)
from app.dev.servers.stripe.api.call import Handler, retrieve
from app.dev.servers.stripe.objects.base import Resource
from app.dev.servers.stripe.objects.catalog import Coupon, Price, Product, PromotionCode
from app.dev.servers.stripe.objects.customers import Customer, PaymentMethod
from app.dev.servers.stripe.objects.events import Event, WebhookEndpoint
from app.dev.servers.stripe.objects.hosted import CheckoutSession, PortalConfiguration
from app.dev.servers.stripe.objects.invoices import Invoice, InvoicePayment
from app.dev.servers.stripe.objects.meters import Meter
from app.dev.servers.stripe.objects.payments import Charge, Dispute, PaymentIntent, Refund
from app.dev.servers.stripe.objects.subscriptions import Subscription

_LISTS: dict[type[Resource], Handler] = {
    Charge: invoices.charges,
    CheckoutSession: checkout.listed,
    Coupon: catalog.coupons,
    Customer: customers.listed,
    Dispute: invoices.disputes,
    Event: webhooks.events,
    Invoice: invoices.listed,
    InvoicePayment: invoices.invoice_payments,
    Meter: meters.listed,
    PaymentIntent: invoices.intents,
    PaymentMethod: customers.cards,
    PortalConfiguration: portal.configurations,
    Price: catalog.prices,
    Product: catalog.products,
    PromotionCode: catalog.promotion_codes,
    Refund: invoices.refunds,
    Subscription: subscriptions.listed,
    WebhookEndpoint: webhooks.listed,
}

ENDPOINTS: list[tuple[str, str, Handler]] = [
    # Before the paths with an id, because the first match wins.
    ("POST", "/v1/invoices/create_preview", subscriptions.preview),
    *[("GET", kind.PATH, handler) for kind, handler in _LISTS.items()],
    *[("GET", f"{kind.PATH}/{{id}}", retrieve(kind)) for kind in _LISTS],
    ("POST", "/v1/customers", customers.create),
    ("POST", "/v1/customers/{id}", customers.update),
    ("DELETE", "/v1/customers/{id}", customers.delete),
    ("GET", "/v1/customers/{id}/payment_methods", customers.cards),
    ("POST", "/v1/payment_methods/{id}/attach", customers.attach),
    ("POST", "/v1/payment_methods/{id}/detach", customers.detach),
    ("POST", "/v1/products", catalog.create_product),
    ("POST", "/v1/products/{id}", catalog.update_product),
    ("DELETE", "/v1/products/{id}", catalog.delete_product),
    ("POST", "/v1/prices", catalog.create_price),
    ("POST", "/v1/prices/{id}", catalog.update_price),
    ("POST", "/v1/coupons", catalog.create_coupon),
    ("POST", "/v1/promotion_codes", catalog.create_promotion_code),
    ("POST", "/v1/checkout/sessions", checkout.create),
    ("POST", "/v1/checkout/sessions/{id}/expire", checkout.expire),
    ("GET", "/v1/checkout/sessions/{id}/line_items", checkout.line_items),
    ("POST", "/v1/subscriptions", subscriptions.create),
    ("POST", "/v1/subscriptions/{id}", subscriptions.update),
    ("DELETE", "/v1/subscriptions/{id}", subscriptions.cancel),
    ("POST", "/v1/subscriptions/{id}/pause", subscriptions.pause),
    ("POST", "/v1/subscriptions/{id}/resume", subscriptions.resume),
    ("POST", "/v1/invoices/{id}/pay", subscriptions.pay),
    ("POST", "/v1/invoices/{id}/void", invoices.void),
    ("POST", "/v1/refunds", invoices.create_refund),
    ("POST", "/v1/webhook_endpoints", webhooks.create),
    ("POST", "/v1/webhook_endpoints/{id}", webhooks.update),
    ("DELETE", "/v1/webhook_endpoints/{id}", webhooks.delete),
    ("POST", "/v1/billing_portal/configurations", portal.create_configuration),
    ("POST", "/v1/billing_portal/configurations/{id}", portal.update_configuration),
    ("POST", "/v1/billing_portal/sessions", portal.create_session),
    ("POST", "/v1/billing/meters", meters.create),
    ("POST", "/v1/billing/meters/{id}", meters.update),
    ("POST", "/v1/billing/meters/{id}/deactivate", meters.deactivate),
    ("POST", "/v1/billing/meters/{id}/reactivate", meters.reactivate),
    ("GET", "/v1/billing/meters/{id}/event_summaries", meters.summaries),
    ("POST", "/v1/billing/meter_events", meters.record),
    ("GET", "/v2/core/events/{id}", thin.retrieve),
    ("GET", "/v2/core/event_destinations", thin.listed),
    ("POST", "/v2/core/event_destinations", thin.create),
]
