"""The examples of docs/resilience.md."""

from typing import Any

import httpx
import pytest

from app.core.db.database import Database
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.module import module as core
from app.kit.resilience.errors import CircuitOpenError
from tests.pages import run_examples, undocumented


class Bank:
    """A bank that fails as often as it is set to."""

    def __init__(self) -> None:
        self.failures = 0
        self.calls = 0

    async def __call__(self, _currency: str) -> float:
        self.calls += 1
        if self.failures:
            self.failures -= 1
            raise ConnectionError
        return 0.9


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def examples(bank: Bank) -> dict[str, Any]:
    """The names of the page."""
    names: dict[str, Any] = {"ask_the_bank": bank}
    assert run_examples("resilience.md", names) == 5
    return names


def test_the_page_names_every_helper() -> None:
    # The port of circuit breakers, and the interpretation of filters.
    assert set(undocumented("resilience.md", "app/kit/resilience")) <= {"circuit_store", "errors"}


async def test_one_system(examples: dict[str, Any]) -> None:
    answers = [httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(200, json=["book"])]

    def answer(_request: httpx.Request) -> httpx.Response:
        return answers.pop(0) if answers else httpx.Response(503, headers={"Retry-After": "60"})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example.com") as client:
        assert await examples["products"](client) == ["book"]
        assert await examples["products"](client) == []


async def test_client(examples: dict[str, Any], database: Database) -> None:
    module = Module(name="shop", lifespan=examples["open_shop"])
    async with running(create_runtime((core, module), database=database), background=False) as runtime:
        client = runtime.resource(examples["ShopClient"])
        assert client.base_url == "https://shop.example.com"
    assert client.is_closed


async def test_retries(examples: dict[str, Any], bank: Bank, capsys: pytest.CaptureFixture[str]) -> None:
    bank.failures = 2
    assert await examples["exchange_rate"]("USD") == 0.9
    await examples["print_rate"]("USD")
    assert capsys.readouterr().out.endswith("0.9\n")
    assert bank.calls == 4


async def test_fallbacks(examples: dict[str, Any], bank: Bank) -> None:
    assert await examples["rates"]() == {"USD": 0.9}
    bank.failures = 1
    assert await examples["rates"]() == {"USD": 0.92}


async def test_circuit_breakers_and_bulkheads(examples: dict[str, Any], bank: Bank) -> None:
    assert await examples["report_or_not"]("USD") == "USD: 0.9"
    bank.failures = 3
    for _ in range(3):
        with pytest.raises(ConnectionError):
            await examples["report"]("USD")
    assert (await examples["report"]("USD")).startswith("USD: try again in 0:00:1")
    with pytest.raises(CircuitOpenError):
        async with examples["bank"].guard():
            pytest.fail("The circuit is open.")
