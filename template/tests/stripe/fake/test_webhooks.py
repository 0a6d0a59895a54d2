"""Events on their way to endpoints, and what goes wrong with them."""

from collections import Counter

import pytest
import stripe

from app.dev.servers.stripe.fake import WEBHOOK_SECRET, StripeFake
from app.dev.servers.stripe.webhooks import Message


class Receiver:
    """An endpoint that keeps verified events, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.events: list[stripe.Event] = []
        self.failures = 0

    async def post(self, message: Message) -> int:
        """Receive an event."""
        event = stripe.Webhook.construct_event(message.body, message.headers["Stripe-Signature"], WEBHOOK_SECRET)
        if self.failures:
            self.failures -= 1
            return 500
        self.events.append(event)
        return 200


@pytest.fixture
def receiver(fake: StripeFake) -> Receiver:
    """An endpoint for events about customers."""
    fake.listen("http://127.0.0.1:9/webhook", events=("customer.created", "customer.updated"))
    return Receiver()


async def make(client: stripe.StripeClient, *names: str) -> None:
    """Create customers."""
    for name in names:
        await client.v1.customers.create_async({"name": name})


def names(receiver: Receiver) -> list[str]:
    """Return the names in the events that arrived."""
    return [event.data.object["name"] for event in receiver.events]


async def test_events_are_signed_and_filtered(
    fake: StripeFake, client: stripe.StripeClient, receiver: Receiver
) -> None:
    await make(client, "Ann")
    await client.v1.products.create_async({"name": "Pro"})

    assert await fake.deliver(receiver.post) == 1

    assert [event.type for event in receiver.events] == ["customer.created"]
    assert receiver.events[0].request is not None
    assert receiver.events[0].request.idempotency_key


async def test_an_update_names_the_changes(fake: StripeFake, client: stripe.StripeClient, receiver: Receiver) -> None:
    customer = await client.v1.customers.create_async({"name": "Ann", "email": "ann@example.com"})
    await client.v1.customers.update_async(customer.id, {"name": "Bea"})

    await fake.deliver(receiver.post)

    changes = receiver.events[1].data.previous_attributes
    assert changes is not None
    assert changes.to_dict() == {"name": "Ann"}


async def test_events_repeat_and_change_their_order(
    fake: StripeFake, client: stripe.StripeClient, receiver: Receiver
) -> None:
    fake.faults.repeat, fake.faults.reverse = 2, True
    await make(client, "Ann", "Bea")

    await fake.deliver(receiver.post)

    assert names(receiver) == ["Bea", "Bea", "Ann", "Ann"]
    assert set(Counter(event.id for event in receiver.events).values()) == {2}


async def test_an_event_can_be_lost(fake: StripeFake, client: stripe.StripeClient, receiver: Receiver) -> None:
    fake.faults.drop = 1
    await make(client, "Ann", "Bea")

    await fake.deliver(receiver.post)
    await fake.deliver(receiver.post)

    assert names(receiver) == ["Bea"]
    assert len((await client.v1.events.list_async({"type": "customer.created"})).data) == 2


async def test_an_event_is_sent_again_until_the_endpoint_takes_it(
    fake: StripeFake, client: stripe.StripeClient, receiver: Receiver
) -> None:
    receiver.failures = 1
    await make(client, "Ann")

    assert await fake.deliver(receiver.post) == 0
    assert await fake.deliver(receiver.post) == 0, "It waits before it tries again."
    fake.account.deliveries[0].due = 0
    assert await fake.deliver(receiver.post) == 1

    assert (await client.v1.events.list_async()).data[0].pending_webhooks == 0


async def test_an_event_can_be_late(fake: StripeFake, client: stripe.StripeClient, receiver: Receiver) -> None:
    fake.faults.delay_seconds = 60
    await make(client, "Ann")

    assert await fake.deliver(receiver.post) == 0


async def test_the_secret_of_an_endpoint_is_shown_once(client: stripe.StripeClient) -> None:
    made = await client.v1.webhook_endpoints.create_async(
        {"url": "http://127.0.0.1:9/webhook", "enabled_events": ["*"], "api_version": "2026-10-28.endive"}
    )
    shown = await client.v1.webhook_endpoints.retrieve_async(made.id)

    assert made.secret is not None
    assert made.secret.startswith("whsec_")
    assert "secret" not in shown
    assert shown.api_version == "2026-10-28.endive"
