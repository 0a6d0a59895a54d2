"""The customers of users at Stripe: one per user, even if several requests create it at once."""

import hashlib
import json
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, select
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.stripe.models import StripeCustomer
from app.stripe.snapshots import USER_KEY
from app.users.models import User

if TYPE_CHECKING:
    from stripe.params import CustomerCreateParams


async def customer_of(runtime: Runtime, user_id: UUID) -> str | None:
    """Return the id of a user's customer."""
    statement = select(col(StripeCustomer.customer_id)).where(col(StripeCustomer.user_id) == user_id)
    async with runtime.database.reading() as session:
        return await session.scalar(statement)


async def user_of(runtime: Runtime, customer_id: str) -> UUID | None:
    """Return the user of a customer."""
    statement = select(col(StripeCustomer.user_id)).where(col(StripeCustomer.customer_id) == customer_id)
    async with runtime.database.reading() as session:
        return await session.scalar(statement)


async def ensure_customer(runtime: Runtime, api: StripeApi, user_id: UUID, *, replaces: str = "") -> str:
    """Return the id of a user's customer, and create it if there is none.

    Parallel requests send the same parameters under the same idempotency key, so that Stripe creates one customer.

    Args:
        replaces: the id of the user's previous customer, which was deleted at Stripe.
    """
    known = await customer_of(runtime, user_id)
    if known is not None:
        return known
    async with runtime.database.reading() as session:
        user = await session.get_one(User, user_id)
    params: CustomerCreateParams = {"metadata": {USER_KEY: str(user_id)}}
    if user.email is not None:
        params["email"] = user.email
    if user.full_name is not None:
        params["name"] = user.full_name
    created = await api.create_customer(params, key=f"customer/{user_id}/{replaces}/{digest(params)}")
    return await _remember(runtime, user_id, created.id)


async def forget_customer(runtime: Runtime, customer_id: str) -> None:
    """Forget a customer that was deleted at Stripe."""
    async with runtime.database.transaction() as session:
        await session.execute(delete(StripeCustomer).where(col(StripeCustomer.customer_id) == customer_id))


def digest(params: object) -> str:
    """Return a short digest of a call's parameters, for its idempotency key: other parameters are another call."""
    text = json.dumps(params, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


async def _remember(runtime: Runtime, user_id: UUID, customer_id: str) -> str:
    """Store the customer unless another request did, and return the stored one."""
    now = utc_now()
    values = {"id": uuid7(), "created_at": now, "updated_at": now, "user_id": user_id, "customer_id": customer_id}
    async with runtime.database.transaction() as session:
        await insert_if_absent(session, StripeCustomer, values, unique=("user_id",))
    return await customer_of(runtime, user_id) or customer_id
