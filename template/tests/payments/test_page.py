"""The examples in docs/payments.md work as they are."""

import re
from pathlib import Path
from typing import Any
from uuid import uuid4

from structlog.testing import capture_logs

from app.core.runtime import Runtime
from app.payments.events import SubscriptionChanged
from app.payments.port import SubscriptionStatus
from tests.payments.memory_shop import MemoryShop
from tests.payments.provider_contract import add_user

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "payments.md").read_text(encoding="utf-8")


def example(number: int) -> dict[str, Any]:
    """Run one of the examples and return its names."""
    names: dict[str, Any] = {"__name__": "tests.payments.example"}
    exec(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)[number], names)  # noqa: S102 - a page of this project
    return names


async def test_a_subscription_is_fetched_again(runtime: Runtime, shop: MemoryShop) -> None:
    id_ = await shop.sell(await add_user(runtime))
    row = await example(0)["refresh"](runtime, "memory", id_)
    assert row.plan == "pro"


async def test_a_subscriber_sees_changes(runtime: Runtime) -> None:
    event = SubscriptionChanged(user_id=uuid4(), old_plan="free", new_plan="pro", status=SubscriptionStatus.ACTIVE)
    with capture_logs() as logs:
        await example(1)["on_subscription_changed"](runtime, event)
    assert [line["event"] for line in logs] == ["plan_changed"]


def test_every_status_is_explained() -> None:
    table = PAGE.partition("## Status and access")[2].partition("## ")[0]
    assert all(f"`{status.value}`" in table for status in SubscriptionStatus)
