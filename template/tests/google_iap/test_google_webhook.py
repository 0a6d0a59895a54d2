"""Real-time developer notifications: each leads to the state that the Google Play Developer API describes."""

import httpx

from app.core.inbox.models import InboxStatus
from app.core.runtime import Runtime
from app.dev.servers.google_play.store import GooglePlay
from app.google_iap.models import id_of
from app.payments.port import SubscriptionStatus
from tests.conftest import SignIn
from tests.google_iap.conftest import MONTHLY, Postman, identity, plan_of, stored_purchase


async def test_a_purchase_gives_its_plan(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, postman: Postman, google_play: GooglePlay
) -> None:
    user = await identity(client, await sign_in())
    with google_play.changing() as state:
        item = state.buy(MONTHLY, account=str(user))
    (event,) = await postman.deliver()
    stored = await postman.stored(item)

    assert (event.provider, event.status) == ("google", InboxStatus.DONE)
    assert stored is not None
    assert (stored.plan, stored.status, stored.user_id) == ("pro", SubscriptionStatus.ACTIVE, user)
    assert stored.sandbox
    assert await plan_of(runtime, user) == "pro"
    assert item.acknowledged


async def test_only_what_is_needed_is_kept(runtime: Runtime, postman: Postman, google_play: GooglePlay) -> None:
    with google_play.changing() as state:
        item = state.buy(MONTHLY)
    (event,) = await postman.deliver()

    assert event.payload == {"type": "subscription", "notification_type": 4, "token_id": id_of(item.token)}
    assert event.event_id == google_play.state.messages[0].id
    assert await stored_purchase(runtime, item.token) is not None
