"""Stripe's test cards, and what a payment with each of them does. See https://docs.stripe.com/testing."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.customers import BillingDetails, Card, Customer, PaymentMethod
from app.dev.servers.stripe.objects.subscriptions import Subscription


class Outcome(StrEnum):
    """The result of a payment."""

    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    ACTION_REQUIRED = "action_required"


@dataclass(frozen=True, kw_only=True, slots=True)
class TestCard:
    """A card number that stands for a situation.

    Attributes:
        alias: the id of the payment method that the API accepts in every account.
        label: what the page says about it.
        can_attach: whether a customer can save it.
        decline_code: why its payments fail; `None` if they succeed.
        authenticates: whether the holder has to confirm payments with the bank (3-D Secure).
        again: whether that holds for every payment, and not only for the first one.
    """

    last4: str
    alias: str
    label: str
    brand: str = "visa"
    can_attach: bool = True
    decline_code: str | None = None
    authenticates: bool = False
    again: bool = False

    def outcome(self, *, on_session: bool, authenticated: bool) -> Outcome:
        """Return the result of a payment.

        Args:
            on_session: whether the customer is at the screen.
            authenticated: whether they have just confirmed it with the bank.
        """
        if self.decline_code is not None:
            return Outcome.DECLINED
        if self.authenticates and not authenticated and (on_session or self.again):
            return Outcome.ACTION_REQUIRED
        return Outcome.SUCCEEDED


CARDS: Final = (
    TestCard(last4="4242", alias="pm_card_visa", label="Payments succeed"),
    TestCard(
        last4="3155",
        alias="pm_card_authenticationRequiredOnSetup",
        label="The bank asks for confirmation (3-D Secure) once; renewals succeed",
        authenticates=True,
    ),
    TestCard(
        last4="3184",
        alias="pm_card_authenticationRequired",
        label="The bank asks for confirmation (3-D Secure) at every payment, renewals included",
        authenticates=True,
        again=True,
    ),
    TestCard(
        last4="0341",
        alias="pm_card_chargeCustomerFail",
        label="The card can be saved, but payments are declined",
        decline_code="generic_decline",
    ),
    TestCard(
        last4="9995",
        alias="pm_card_visa_chargeDeclinedInsufficientFunds",
        label="Declined: insufficient funds",
        can_attach=False,
        decline_code="insufficient_funds",
    ),
    TestCard(
        last4="0002",
        alias="pm_card_chargeDeclined",
        label="Declined by the bank",
        can_attach=False,
        decline_code="generic_decline",
    ),
)


def card_of(method: PaymentMethod) -> TestCard:
    """Return the test card that a payment method stands for."""
    return next(card for card in CARDS if card.last4 == method.card.last4)


def by_last4(last4: str) -> TestCard | None:
    """Return the card with these last four digits."""
    return next((card for card in CARDS if card.last4 == last4), None)


def save_card(account: Account, card: TestCard, customer: Customer | None) -> PaymentMethod:
    """Create a payment method, of the customer if one is given."""
    now, unknown = account.now, dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    address: Json = dict(unknown)
    checks: Json = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
    method = account.add(
        PaymentMethod(
            id=account.new_id(PaymentMethod.PREFIX),
            created=now,
            billing_details=BillingDetails(
                address=address, email=customer.email if customer else None, name=customer.name if customer else None
            ),
            card=Card(
                brand=card.brand,
                exp_month=12,
                exp_year=2050,
                last4=card.last4,
                checks=checks,
                fingerprint=f"{account.tag}{card.last4}",
                networks={"available": [card.brand], "preferred": None},
                three_d_secure_usage={"supported": card.authenticates},
            ),
            customer=customer.id if customer else None,
        )
    )
    if customer is not None:
        account.emit("payment_method.attached", method)
    return method


def replace_card(account: Account, card: TestCard, customer: Customer) -> PaymentMethod:
    """Let another card pay for everything of a customer."""
    method = save_card(account, card, customer)
    customer.invoice_settings.default_payment_method = method.id
    account.emit("customer.updated", customer)
    for subscription in account.all(Subscription):
        if subscription.customer == customer.id and not subscription.has_ended:
            subscription.default_payment_method = method.id
            account.emit("customer.subscription.updated", subscription)
    return method
