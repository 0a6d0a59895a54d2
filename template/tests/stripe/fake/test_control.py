"""Control over the fake through HTTP."""

import httpx

from app.dev.servers.stripe.fake import SECRET_KEY, StripeFake
from tests.stripe.fake.shop import Shop
from tests.stripe.fake.wire import browser


async def control(fake: StripeFake, path: str, body: dict[str, object], key: str = SECRET_KEY) -> httpx.Response:
    """Send a request to the control."""
    async with browser(fake, key=key) as http:
        return await http.post(f"/_fake{path}", json=body)


async def test_the_clock_moves_and_reports_the_events(fake: StripeFake, shop: Shop) -> None:
    subscription = await shop.buy()
    before = fake.account.now

    answer = (await control(fake, "/clock", {"advance": "+1month"})).json()

    assert answer["now"] - before >= 28 * 86_400
    assert {"type": "customer.subscription.updated", "id": subscription.id}.items() <= answer["events"][-1].items()


async def test_the_control_needs_the_key(fake: StripeFake) -> None:
    assert (await control(fake, "/clock", {"advance": "+1month"}, key="guess")).status_code == 401


async def test_wrong_steps_and_faults_are_explained(fake: StripeFake) -> None:
    step = await control(fake, "/clock", {"advance": "tomorrow"})
    fault = await control(fake, "/faults", {"explode": True})

    assert "+1month" in step.json()["error"]["message"]
    assert "deliver" in fault.json()["error"]["message"]


async def test_a_card_is_replaced_and_a_charge_disputed(fake: StripeFake, shop: Shop) -> None:
    await shop.buy()
    charge = (await shop.client.v1.charges.list_async()).data[0]

    await control(fake, f"/customers/{shop.customer}/card", {"last4": "0341"})
    dispute = (await control(fake, f"/charges/{charge.id}/dispute", {})).json()["dispute"]
    await control(fake, f"/disputes/{dispute}/close", {"won": True})

    assert (await shop.client.v1.disputes.retrieve_async(dispute)).status == "won"
    assert (await shop.client.v1.charges.retrieve_async(charge.id)).disputed
