"""A sample of requests and jobs reaches Sentry as transactions, with their steps."""

import httpx
import pytest

from app.core.ports.operations import DatabaseQuery
from app.sentry.trail import describe
from tests.conftest import ME, SignIn
from tests.sentry.conftest import PUBLIC
from tests.sentry.envelopes import Envelopes


class TestSampled:
    @pytest.fixture
    def sample_rate(self) -> str:
        """Every request."""
        return "1"

    async def test_a_request_has_its_statements_as_spans(
        self, live_client: httpx.AsyncClient, live_sign_in: SignIn, envelopes: Envelopes
    ) -> None:
        headers = await live_sign_in()
        response = await live_client.get(ME, headers=headers)
        await live_client.get(f"{PUBLIC}/health")

        found = envelopes.wait("transaction", 2)
        (transaction,) = (each for each in found if each["tags"]["request_id"] == response.headers["x-request-id"])
        assert transaction["transaction"] == f"GET {ME}"
        assert transaction["contexts"]["trace"]["status"] == "ok"
        assert transaction["user"] == {"id": response.json()["id"]}
        span = next(each for each in transaction["spans"] if each["op"] == "db")
        assert "user@example.com" not in str(transaction)
        assert transaction["start_timestamp"] <= span["start_timestamp"] <= span["timestamp"]
        assert not [each for each in found if "health" in each["transaction"]]

    async def test_a_failed_request_has_the_trace_of_its_error(
        self, shop_client: httpx.AsyncClient, envelopes: Envelopes
    ) -> None:
        await shop_client.post(f"{PUBLIC}/shop/orders/7")
        (event,) = envelopes.wait("event", 1)
        (transaction,) = envelopes.wait("transaction", 1)
        assert transaction["contexts"]["trace"]["status"] == "internal_error"
        assert transaction["contexts"]["trace"]["trace_id"] == event["contexts"]["trace"]["trace_id"]


async def test_without_a_sample_nothing_is_sent(
    client: httpx.AsyncClient, sign_in: SignIn, envelopes: Envelopes
) -> None:
    await client.get(ME, headers=await sign_in())
    assert envelopes.raw == []


def test_a_statement_has_no_values() -> None:
    assert describe(DatabaseQuery(statement="SELECT 'ada@example.com'")) == ("db", "SELECT ?")
