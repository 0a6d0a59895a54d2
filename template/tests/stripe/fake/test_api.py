"""The API's conventions: keys, idempotency, errors, lists, `expand[]`."""

import httpx
import pytest
import stripe

from app.dev.servers.stripe.fake import SECRET_KEY, StripeFake
from app.dev.servers.stripe.objects.customers import Customer
from tests.stripe.fake.shop import Shop
from tests.stripe.fake.wire import browser

KEYS = {"Authorization": f"Bearer {SECRET_KEY}", "Idempotency-Key": "once"}


async def test_a_wrong_key_is_rejected(fake: StripeFake) -> None:
    async with browser(fake, key="sk_test_wrong") as http:
        answer = await http.get("/v1/customers")

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "invalid_request_error"


async def test_a_repeated_key_replays_the_first_answer(fake: StripeFake, client: stripe.StripeClient) -> None:
    first = await client.v1.customers.create_async({"email": "a@example.com"}, {"idempotency_key": "k"})
    second = await client.v1.customers.create_async({"email": "a@example.com"}, {"idempotency_key": "k"})

    assert first.id == second.id
    assert len(fake.account.all(Customer)) == 1


async def test_a_key_with_other_parameters_is_rejected(client: stripe.StripeClient) -> None:
    await client.v1.customers.create_async({"email": "a@example.com"}, {"idempotency_key": "k"})

    with pytest.raises(stripe.IdempotencyError):
        await client.v1.customers.create_async({"email": "b@example.com"}, {"idempotency_key": "k"})


async def test_an_answer_can_get_lost_after_the_request_was_carried_out(fake: StripeFake) -> None:
    fake.faults.lost = 1
    with fake.serving() as url:
        async with httpx.AsyncClient(base_url=url, headers=KEYS, trust_env=False) as http:
            with pytest.raises(httpx.RemoteProtocolError):
                await http.post("/v1/customers", content="email=a%40example.com")
            again = await http.post("/v1/customers", content="email=a%40example.com")

    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(fake.account.all(Customer)) == 1


async def test_the_api_can_be_down(fake: StripeFake, client: stripe.StripeClient) -> None:
    fake.faults.down = -1
    with pytest.raises(stripe.APIError):
        await client.v1.customers.list_async()

    fake.faults.down = 0
    assert (await client.v1.customers.list_async()).data == []


async def test_an_unknown_object_is_a_404_with_its_code(client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await client.v1.customers.retrieve_async("cus_unknown")

    assert (caught.value.http_status, caught.value.code, caught.value.param) == (404, "resource_missing", "id")
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ("colour=red", "colour"),
        ("metadata=", None),
        ("invoice_settings[colour]=red", "invoice_settings[colour]"),
        ("balance=12.5", "balance"),
    ],
)
async def test_unknown_and_malformed_parameters_are_rejected(fake: StripeFake, body: str, param: str | None) -> None:
    async with browser(fake) as http:
        made = (await http.post("/v1/customers", content="email=a%40example.com&metadata[a]=1")).json()
        answer = await http.post(f"/v1/customers/{made['id']}", content=body)

    assert answer.json().get("error", {}).get("param") == param
    if param is None:
        assert answer.json()["metadata"] == {}


async def test_lists_are_paged_from_the_newest(client: stripe.StripeClient) -> None:
    made = [(await client.v1.customers.create_async({"name": str(number)})).id for number in range(5)]

    page = await client.v1.customers.list_async({"limit": 2})

    assert ([one.id for one in page.data], page.has_more) == ([made[4], made[3]], True)
    assert [one.id async for one in page.auto_paging_iter()] == made[::-1]
    before = await client.v1.customers.list_async({"limit": 2, "ending_before": made[0]})
    assert [one.id for one in before.data] == [made[2], made[1]]


async def test_expand_replaces_ids_by_objects_and_adds_omitted_fields(client: stripe.StripeClient, shop: Shop) -> None:
    subscription = await shop.buy()

    shown = await client.v1.subscriptions.retrieve_async(
        subscription.id, {"expand": ["customer", "latest_invoice.payments"]}
    )
    prices = await client.v1.prices.list_async({"lookup_keys": ["pro_monthly"], "expand": ["data.product"]})
    payments = await client.v1.invoice_payments.list_async({"expand": ["data.payment.payment_intent.latest_charge"]})

    assert isinstance(shown.customer, stripe.Customer)
    assert isinstance(shown.latest_invoice, stripe.Invoice)
    assert shown.latest_invoice.payments is not None
    intent = payments.data[0].payment.payment_intent
    assert isinstance(intent, stripe.PaymentIntent)
    assert isinstance(intent.latest_charge, stripe.Charge)
    assert isinstance(prices.data[0].product, stripe.Product)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.subscriptions.retrieve_async(subscription.id, {"expand": ["colour"]})


async def test_a_lookup_key_belongs_to_one_price(client: stripe.StripeClient, shop: Shop) -> None:
    price: stripe.params.PriceCreateParams = {
        "product": shop.product,
        "currency": "usd",
        "unit_amount": 1200,
        "recurring": {"interval": "month"},
        "lookup_key": "pro_monthly",
    }
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.prices.create_async(price)

    made = await client.v1.prices.create_async({**price, "transfer_lookup_key": True})

    found = await client.v1.prices.list_async({"lookup_keys": ["pro_monthly"]})
    assert [one.id for one in found.data] == [made.id]


async def test_a_path_that_the_fake_lacks_says_so(fake: StripeFake) -> None:
    async with browser(fake) as http:
        answer = await http.get("/v1/radar/rules")

    assert answer.status_code == 404
    assert "The fake has only a part of the API" in answer.json()["error"]["message"]
