"""The examples of docs/resilience.md."""

from typing import Any

import httpx
import pytest

from app.kit.resilience.errors import CircuitOpenError
from tests.pages import run_examples


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
    assert run_examples("resilience.md", names) == 4
    return names


async def test_one_system(examples: dict[str, Any]) -> None:
    answers = [httpx.Response(503, headers={"Retry-After": "0"}), httpx.Response(200, json=["book"])]

    def answer(_request: httpx.Request) -> httpx.Response:
        return answers.pop(0) if answers else httpx.Response(503, headers={"Retry-After": "60"})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example.com") as client:
        assert await examples["products"](client) == ["book"]
        assert await examples["products"](client) == []


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
