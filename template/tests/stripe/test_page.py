"""The examples in docs/stripe.md work as they are."""

import re
from pathlib import Path
from typing import Any

from tests.stripe.conftest import Buyer, submit

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "stripe.md").read_text(encoding="utf-8")


def example(number: int) -> dict[str, Any]:
    """Run one of the examples and return its names."""
    names: dict[str, Any] = {"__name__": "tests.stripe.example"}
    exec(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[number], names)  # noqa: S102 - a page of this project
    return names


async def test_a_purchase_and_an_upgrade(buyer: Buyer) -> None:
    await submit(await example(0)["buy"](buyer.client, buyer.headers))
    await buyer.deliver()
    assert (await buyer.status())["subscriptions"][0]["quantity"] == 3

    status = await example(1)["upgrade"](buyer.client, buyer.headers)
    assert status["plan"] == "enterprise"
