"""The examples in docs/plans.md work as they are."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from app.core.errors import QuotaExceededError
from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime
from app.main import create_app
from app.plans.catalog import PlanCatalog
from app.plans.data_policy import KEPT
from app.plans.quotas import PlanQuotas
from tests.conftest import SignIn, make_client
from tests.plans.conftest import Limited

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "plans.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)


def example(number: int) -> dict[str, Any]:
    """Run one of the Python examples and return its names."""
    blocks = [block["text"] for block in BLOCK.finditer(PAGE) if block["kind"] == "python"]
    names: dict[str, Any] = {"__name__": "tests.plans.example"}
    exec(blocks[number], names)  # noqa: S102 - a page of this project
    return names


@pytest.fixture
def catalog(tmp_path: Path, runtime: Runtime, limited: Limited) -> PlanCatalog:
    """The plans of the page."""
    (file,) = (block["text"] for block in BLOCK.finditer(PAGE) if block["kind"] == "toml")
    (tmp_path / "plans.toml").write_text(file, encoding="utf-8")
    catalog = PlanCatalog.load(tmp_path / "plans.toml")
    runtime.provide(PlanCatalog, catalog)
    runtime.plans = PlanQuotas(catalog, limited.subscriptions)
    return catalog


async def test_a_plan_and_quota_are_required(runtime: Runtime, sign_in: SignIn, catalog: PlanCatalog) -> None:
    assert catalog.get("pro").prices
    reports = Module(name="reports", router=example(0)["router"])
    headers = await sign_in()
    async with make_client(create_app([*modules_of(runtime), reports], runtime=runtime)) as client:
        codes = [
            (await client.request(method, f"/api/v1/app/reports/{path}", headers=headers)).status_code
            for method, path in (("GET", "forecast"), ("GET", "audit"), *[("POST", "exports")] * 3)
        ]
    assert codes == [402, 402, 200, 200, 402]


async def test_a_level_of_one_s_own(runtime: Runtime, user_id: UUID, limited: Limited) -> None:
    names = example(1)
    (level,) = names["LEVELS"]
    # Three identities: the user's own, and two more.
    catalog = PlanCatalog(
        tuple(replace_limit(plan, level.resource, 3) for plan in limited.plans.catalog.plans),
        dict(limited.plans.catalog.limits) | {level.resource: limited.plans.catalog.limits["seats"]},
        {level.resource: level.measure},
    )
    runtime.plans = replace(limited.plans, catalog=catalog)
    for number in range(2):
        async with runtime.database.transaction() as session:
            await names["add_identity"](runtime, session, user_id, f"subject-{number}")
    with pytest.raises(QuotaExceededError):
        async with runtime.database.transaction() as session:
            await names["add_identity"](runtime, session, user_id, "subject-2")


def replace_limit(plan: Any, name: str, limit: int) -> Any:  # noqa: ANN401 - a plan
    """Return the plan with another limit."""
    return plan.model_copy(update={"limits": {**plan.limits, name: limit}})


async def test_slow_work_is_settled(runtime: Runtime, user_id: UUID, catalog: PlanCatalog) -> None:
    limit = catalog.default.limits["ai_requests"]
    assert limit is not None
    assert await example(2)["translate"](runtime, user_id, ["a", "", "b"]) == 2
    async with runtime.database.reading() as session:
        assert await runtime.plans.remaining(session, user_id, "ai_requests") == limit - 2


def test_the_page_names_the_retention() -> None:
    assert f"kept for {KEPT.days} days" in PAGE
