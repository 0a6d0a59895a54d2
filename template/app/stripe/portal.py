"""The customer portal."""

from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.stripe.customers import customer_of
from app.stripe.errors import NotSubscribedError

if TYPE_CHECKING:
    from stripe.params.billing_portal import SessionCreateParams

MANAGED: Final = {"managed_by": "app billing setup"}
"""The metadata of the configuration that `app billing setup` manages."""


async def portal_url(runtime: Runtime, user_id: UUID, *, return_url: str) -> str:
    """Return a link to the portal of a user's customer.

    Raises:
        NotSubscribedError: the user has no customer at Stripe.
    """
    customer = await customer_of(runtime, user_id)
    if customer is None:
        raise NotSubscribedError
    api = runtime.resource(StripeApi)
    params: SessionCreateParams = {"customer": customer, "return_url": return_url}
    configuration = await portal_configuration(api)
    if configuration is not None:
        params["configuration"] = str(configuration["id"])
    return (await api.create_portal(params)).url


async def portal_configuration(api: StripeApi) -> dict[str, Any] | None:
    """Return the configuration that `app billing setup` made. Without one, Stripe uses the account's default."""
    page = await api.call(
        lambda client: client.v1.billing_portal.configurations.list_async({"active": True, "limit": 100})
    )
    managed = (each for each in page["data"] if MANAGED.items() <= (each.get("metadata") or {}).items())
    return next(managed, None)
