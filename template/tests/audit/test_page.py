"""The example of docs/audit.md."""

from typing import Any
from uuid import uuid4

from app.core.context import Actor
from app.core.runtime import Runtime
from tests.audit.conftest import entries
from tests.pages import run_examples


async def test_the_change_is_recorded_as_the_page_says(live_runtime: Runtime) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("audit.md", names) == 1
    actor = Actor(id=uuid4(), client="c" * 16)
    await names["close_ticket"](live_runtime, actor, uuid4())

    (entry,) = await entries(live_runtime)
    assert entry.actor_id == actor.id
    assert entry.changes == {"state": ["open", "closed"], "customer_email": ["[redacted]", None]}
