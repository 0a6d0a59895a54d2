"""Customers and payment methods."""

from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.billing import lifecycle
from app.dev.servers.stripe.billing.subscribe import new_customer
from app.dev.servers.stripe.cards import CARDS, save_card
from app.dev.servers.stripe.errors import ApiError, invalid, missing
from app.dev.servers.stripe.objects.base import Deleted
from app.dev.servers.stripe.objects.customers import Customer, PaymentMethod
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.dev.servers.stripe.params import Params

_TEXTS = ("description", "email", "name", "phone")


def create(call: Call) -> Answer:
    """Create a customer."""
    params, account = call.params, call.account
    texts = {name: params.text(name) for name in _TEXTS}
    method, invoice_method = params.text("payment_method"), _default_card(params)
    metadata = call.metadata()
    params.ignore("address", "preferred_locales", "tax_exempt", "tax")
    params.finish()
    customer = new_customer(account, email=texts["email"], name=texts["name"], metadata=metadata)
    customer.description, customer.phone = texts["description"], texts["phone"]
    if method is not None:
        attached = attach_card(call, method, customer)
        if invoice_method in {method, attached.id}:
            customer.invoice_settings.default_payment_method = attached.id
    return customer


def _default_card(params: Params) -> str | None:
    return params.group("invoice_settings").text("default_payment_method")


def update(call: Call) -> Answer:
    """Change a customer."""
    customer, params = call.one(Customer), call.params
    texts = {name: params.text(name) for name in _TEXTS if name in params}
    method, metadata = _default_card(params), call.metadata(customer.metadata)
    balance = params.integer("balance")
    params.ignore("address", "preferred_locales", "tax_exempt", "tax")
    params.finish()
    if method is not None and call.account.find(PaymentMethod, method).customer != customer.id:
        raise invalid(
            "The payment method must be attached to the customer.", "invoice_settings[default_payment_method]"
        )
    for name, value in texts.items():
        setattr(customer, name, value)
    customer.metadata = metadata
    customer.balance = customer.balance if balance is None else balance
    if method is not None:
        customer.invoice_settings.default_payment_method = method
    call.account.emit("customer.updated", customer)
    return customer


def delete(call: Call) -> Answer:
    """Delete a customer, and end its subscriptions at once."""
    call.params.finish()
    customer, account = call.one(Customer), call.account
    for subscription in account.all(Subscription):
        if subscription.customer == customer.id and not subscription.has_ended:
            lifecycle.end(account, subscription, reason="cancellation_requested")
    account.remove(customer)
    account.emit("customer.deleted", customer)
    return Deleted(id=customer.id, kind=Customer.OBJECT)


def listed(call: Call) -> Answer:
    """List customers, by email address if one is given."""
    email = call.params.text("email")
    return call.page(Customer, lambda one: email is None or one.email == email)


def attach(call: Call) -> Answer:
    """Attach a payment method to a customer; the names of Stripe's test cards work as well."""
    customer = call.account.find(Customer, call.params.required("customer"), param="customer")
    call.params.finish()
    return attach_card(call, call.ids["id"], customer)


def attach_card(call: Call, name: str, customer: Customer) -> PaymentMethod:
    """Attach a card, given by its id or by the name of a test card.

    Raises:
        ApiError: there is no such card, or the bank declines it.
    """
    account = call.account
    method = account.get(PaymentMethod, name)
    if method is not None:
        method.customer = customer.id
        account.emit("payment_method.attached", method)
        return method
    card = next((card for card in CARDS if card.alias == name), None)
    if card is None:
        raise missing("PaymentMethod", name, param="payment_method")
    if not card.can_attach:
        raise ApiError(
            message="Your card was declined.",
            status=402,
            type="card_error",
            code="card_declined",
            decline_code=card.decline_code,
        )
    return save_card(account, card, customer)


def detach(call: Call) -> Answer:
    """Detach a payment method from its customer."""
    call.params.finish()
    method = call.one(PaymentMethod)
    for customer in call.account.all(Customer):
        if customer.invoice_settings.default_payment_method == method.id:
            customer.invoice_settings.default_payment_method = None
    method.customer = None
    call.account.emit("payment_method.detached", method)
    return method


def cards(call: Call) -> Answer:
    """List the payment methods of a customer."""
    customer, kind = call.params.text("customer") or call.ids.get("id"), call.params.text("type")
    return call.page(PaymentMethod, lambda one: customer in {None, one.customer} and kind in {None, one.type})
