"""The table of customers at Stripe."""

from uuid import UUID

from sqlmodel import Field

from app.core.db.models import Entity

ID_LENGTH = 255


class StripeCustomer(Entity, table=True):
    """A user's customer at Stripe."""

    __tablename__ = "stripe_customers"

    user_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE", unique=True)
    customer_id: str = Field(max_length=ID_LENGTH, unique=True)
