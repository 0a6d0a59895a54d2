"""The file of plans, and what is wrong with it."""

from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Select, func, select
from structlog.testing import capture_logs

from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module, PlanLevel
from app.core.runtime import Runtime
from app.modules import MODULES
from app.plans.catalog import PlanCatalog, PlansFileError
from app.users.models import User
from tests.plans.conftest import PLANS

GOOD = PLANS.read_text(encoding="utf-8")


def count_users(_user_id: UUID) -> Select[int]:
    """Measure a level."""
    return select(func.count()).select_from(User)


def problems(folder: Path, text: str) -> list[str]:
    """Return the error about a file."""
    file = folder / "plans.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(PlansFileError) as raised:
        PlanCatalog.load(file)
    assert f"/{folder.name}/plans.toml is not valid:\n  " in str(raised.value)
    return list(raised.value.problems)


def with_(old: str, new: str) -> str:
    """The file with a change."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


class TestLoad:
    def test_the_template_s_own_file_is_valid(self) -> None:
        assert PlanCatalog.load().default.rank == 0

    def test_finds_plans(self) -> None:
        catalog = PlanCatalog.load(PLANS)

        assert [plan.name for plan in catalog.plans] == ["free", "pro", "max"]
        assert catalog.default.name == "free"
        assert catalog.get("max").limits["team_members"] is None
        assert catalog.for_price("pro_monthly") == catalog.for_product("com.example.pro") == catalog.get("pro")
        assert catalog.for_price("com.example.pro") is catalog.for_product("pro_monthly") is None
        assert catalog.highest(["free", "max", "pro"]).name == "max"
        assert catalog.highest(["gone"]).name == catalog.highest([]).name == "free"
        with pytest.raises(LookupError, match="free, pro, max"):
            catalog.get("gone")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[plans.free", "(at end of document)"),
            (with_('title = "Free"\nrank', 'title = "Free\nrank'), "at line 11, column"),
            ("", "limits: Field required"),
            (with_("rank = 0", "rank = -1"), "plans.free.rank: Input should be greater than or equal to 0"),
            (with_("rank = 0", 'rank = "0"'), "plans.free.rank: Input should be a valid integer"),
            (with_("rank = 0", "rank = 1"), "plans: no plan has rank 0"),
            (with_("rank = 20", "rank = 10"), "plans: pro, max have the same rank, 10"),
            (with_("rank = 0", ""), "plans.free.rank: Field required"),
            (with_("rank = 0", "rank = 0\nprice = 3"), "plans.free.price: Extra inputs are not permitted"),
            (with_("rank = 0", 'rank = 0\nproducts = ["x"]'), "plans.free: the default plan cannot have prices"),
            (with_("[plans.free]", '[plans."Free!"]'), "plans.Free!: String should match pattern"),
            (with_("projects = 10, ", ""), "plans.free.limits.projects: is missing"),
            (with_("projects = 10", "projects = -1"), "plans.free.limits.projects: Input should be greater than"),
            (
                with_("projects = 10", 'projects = "none"'),
                "plans.free.limits.projects: Input should be a valid integer",
            ),
            (
                with_("projects = 10", "projects = 10, pages = 1"),
                "plans.free.limits.pages: is not declared in [limits]",
            ),
            (with_('projects = { kind = "level" }', ""), "limits.projects: is missing"),
            (
                with_('projects = { kind = "level" }', 'projects = { kind = "counter" }'),
                "limits.projects.kind: must be",
            ),
            (with_('seats = { kind = "level" }', 'seats = { kind = "sum" }'), "limits.seats.kind: Input should be"),
            (
                with_('seats = { kind = "level" }', 'seats = { kind = "level", batch = true }'),
                "limits.seats.batch: only",
            ),
            (with_("amount = 1900", "amount = 0"), "plans.pro.prices.0.amount: Input should be greater than"),
            (
                with_('currency = "usd"', 'currency = "uds"'),
                "plans.pro.prices.0.currency: Value error, must be the code",
            ),
            (with_('interval = "month"', 'interval = "day"'), "plans.pro.prices.0.interval: Input should be 'month'"),
            (with_('"com.example.pro"', '"a", "a"'), 'products: "a" is listed more than once (pro)'),
            (with_('title = "Max"', 'title = "Max"\nproducts = ["com.example.pro"]'), "more than once (pro, max)"),
            (f"plans.odd = 3\n{GOOD}", "plans.odd: Input should be"),
        ],
    )
    def test_names_the_key_or_the_line(self, tmp_path: Path, text: str, expected: str) -> None:
        assert any(expected in problem for problem in problems(tmp_path, text)), problems(tmp_path, text)

    def test_names_every_problem_at_once(self, tmp_path: Path) -> None:
        text = with_("rank = 0", "rank = true").replace("amount = 1900", "amount = 19.0")
        assert len(problems(tmp_path, text)) == 2

    def test_checks_the_levels_of_modules(self) -> None:
        with pytest.raises(PlansFileError, match=r"limits\.exports\.kind: must be level"):
            PlanCatalog.load(PLANS, measures={"exports": count_users})

    def test_a_level_that_is_not_declared_is_unlimited(self) -> None:
        catalog = PlanCatalog.load(PLANS, measures={"invoices": count_users, "seats": count_users})
        assert catalog.unlimited_levels == ("invoices",)
        assert catalog.limit("invoices") is None
        with pytest.raises(LookupError):
            catalog.limit("invoice")

    def test_reports_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(PlansFileError, match="No such file"):
            PlanCatalog.load(tmp_path / "plans.toml")


async def test_a_level_without_a_limit_is_logged_at_the_start_and_not_by_commands_that_start_nothing(
    live_runtime: Runtime,
) -> None:
    level = PlanLevel(resource="unheard_of", measure=lambda _user_id: select(func.count()))
    with capture_logs() as logs:
        runtime = create_runtime((*MODULES, Module(name="other", levels=(level,))), database=live_runtime.database)
        assert logs == []
        async with running(runtime, background=False):
            assert "unheard_of" in next(log["levels"] for log in logs if log["event"] == "plans_without_limit")
