"""The admin routes for subscriptions."""

from uuid import UUID, uuid4

import httpx
import pytest

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.port import SubscriptionStatus
from tests.conftest import ME, SignIn

SUBSCRIPTIONS = "/api/v1/admin/subscriptions"


@pytest.fixture
async def user_id(client: httpx.AsyncClient, sign_in: SignIn) -> str:
    """The id of a user with a subscription."""
    return str((await client.get(ME, headers=await sign_in())).json()["id"])


@pytest.fixture(autouse=True)
async def subscriptions(runtime: Runtime, user_id: str) -> dict[str, UUID]:
    """The ids of two subscriptions by the provider's ids."""
    made = [
        Subscription(
            provider="apple",
            provider_id="parked",
            status=SubscriptionStatus.EXPIRED,
            claimed_email="buyer@example.com",
            taken_at=utc_now(),
        ),
        Subscription(
            provider="google",
            provider_id="owned",
            status=SubscriptionStatus.ACTIVE,
            plan="pro",
            user_id=UUID(user_id),
            taken_at=utc_now(),
        ),
    ]
    ids = {subscription.provider_id: subscription.id for subscription in made}
    async with runtime.database.transaction() as session:
        session.add_all(made)
    return ids


async def test_are_listed_newest_first(client: httpx.AsyncClient, admin: dict[str, str], user_id: str) -> None:
    page = (await client.get(SUBSCRIPTIONS, headers=admin)).json()

    assert [(item["provider_id"], item["user_id"]) for item in page["items"]] == [("owned", user_id), ("parked", None)]
    assert page["total"] == 2
    # The address at the provider belongs to a person who may be no user.
    assert "claimed_email" not in page["items"][1]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"status": "active"}, ["owned"]),
        ({"provider": "apple"}, ["parked"]),
        ({"plan": "pro"}, ["owned"]),
        ({"status": "active", "provider": "apple"}, []),
    ],
    ids=["status", "provider", "plan", "both"],
)
async def test_are_filtered(
    client: httpx.AsyncClient, admin: dict[str, str], query: dict[str, str], found: list[str]
) -> None:
    page = (await client.get(SUBSCRIPTIONS, headers=admin, params=query)).json()

    assert [item["provider_id"] for item in page["items"]] == found


async def test_are_found_by_user(client: httpx.AsyncClient, admin: dict[str, str], user_id: str) -> None:
    for owner, count in ((user_id, 1), (str(uuid4()), 0)):
        page = (await client.get(SUBSCRIPTIONS, headers=admin, params={"user_id": owner})).json()
        assert page["total"] == count


async def test_one_is_shown(client: httpx.AsyncClient, admin: dict[str, str], subscriptions: dict[str, UUID]) -> None:
    one = await client.get(f"{SUBSCRIPTIONS}/{subscriptions['owned']}", headers=admin)

    assert (one.json()["plan"], one.json()["status"]) == ("pro", "active")
    assert (await client.get(f"{SUBSCRIPTIONS}/{uuid4()}", headers=admin)).status_code == 404
