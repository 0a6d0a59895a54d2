"""Personal data of Stripe. The customer and its invoices stay at Stripe, as the law requires."""

from typing import Final

from sqlmodel import col

from app.core.manifest import PersonalData
from app.stripe.models import StripeCustomer

PERSONAL_DATA: Final = (
    PersonalData(model=StripeCustomer, belongs=lambda user_id: col(StripeCustomer.user_id) == user_id),
)
