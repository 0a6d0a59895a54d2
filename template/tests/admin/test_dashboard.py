"""The dashboard: the figures of every module, cached, for administrators only, in constant time."""

from datetime import timedelta
from typing import Any, cast

import httpx
import pytest
from sqlalchemy import ClauseElement, Executable, literal, literal_column, select, text
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlmodel import col

from app.admin.module import module as admin
from app.admin.statistics import dashboard
from app.core.data_policy import figures
from app.core.data_policy.figures import first_key, rows_by, rows_by_day, rows_where, total_rows
from app.core.db.models import utc_now
from app.core.lifecycle import create_runtime
from app.core.manifest import Figure, Module, ModuleList, modules_of
from app.core.module import module as core
from app.core.runtime import Runtime
from app.users.models import User
from app.users.roles import Role
from tests.conftest import SignIn
from tests.query_plans import scanned_rows
from tests.statements import statements_of

STATS = "/api/v1/admin/dashboard/stats"


async def add_users(runtime: Runtime, *ages: int) -> None:
    """Users who signed up so many days ago."""
    async with runtime.database.transaction() as session:
        for number, age in enumerate(ages):
            at = utc_now() - timedelta(days=age)
            key = first_key(at).int | (7 << 76) | (2 << 62) | number
            session.add(User(id=type(first_key(at))(int=key), created_at=at))


async def numbers(runtime: Runtime, figure: Figure) -> dict[str, tuple[int, bool]]:
    """The values of a figure by their labels."""
    rows = await runtime.database.fetch(figure.query(runtime, utc_now()), {})
    return {label: (value, exact) for label, value, exact in rows}


class TestRoute:
    async def test_returns_every_figure_of_every_module(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
        body = (await client.get(STATS, headers=headers)).json()

        expected = [(module.name, figure.name) for module in modules_of(runtime) for figure in module.figures]
        assert [(figure["module"], figure["name"]) for figure in body["figures"]] == expected
        assert all(figure["values"] is not None for figure in body["figures"]), body
        by_name = {figure["name"]: figure["values"] for figure in body["figures"]}
        assert by_name["users"] == [{"label": "total", "value": 1, "is_exact": True}]
        assert len(by_name["sign_ups"]) == figures.DAYS
        assert by_name["sign_ups"][-1] == {"label": f"{utc_now():%Y-%m-%d}", "value": 1, "is_exact": True}

    async def test_is_cached_for_a_minute(self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn) -> None:
        headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
        first = (await client.get(STATS, headers=headers)).json()
        await add_users(runtime, 0)

        assert (await client.get(STATS, headers=headers)).json() == first
        await dashboard.forget(runtime)
        assert (await client.get(STATS, headers=headers)).json() != first

    async def test_a_figure_that_fails_hides_no_other(self, live_runtime: Runtime) -> None:
        broken = Figure(name="broken", query=lambda _runtime, _now: select(literal("a"), text("missing"), text("true")))
        module = Module(name="extra", figures=(broken,))
        live_runtime.provide(ModuleList, ModuleList((*modules_of(live_runtime), module)))
        found = {figure.name: figure.values for figure in (await dashboard(live_runtime)).figures}

        assert found["broken"] is None
        assert found["users"] is not None

    def test_two_figures_of_one_name_are_refused(self) -> None:
        figure = Figure(name="users", query=total_rows(User))
        modules = [core, admin, *(Module(name=name, figures=(figure,)) for name in ("one", "two"))]

        with pytest.raises(ValueError, match="users"):
            create_runtime(modules)


class TestFigures:
    async def test_days_are_those_of_utc_and_the_last_thirty(self, live_runtime: Runtime) -> None:
        await add_users(live_runtime, 0, 0, 1, 29, 30, 31)
        found = await numbers(live_runtime, Figure(name="x", query=rows_by_day(User)))

        assert [value for value, _ in found.values() if value] == [1, 1, 2]
        assert list(found) == sorted(found)

    async def test_a_table_beyond_the_limit_is_estimated(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await add_users(live_runtime, *[0] * 5)
        exact = await numbers(live_runtime, Figure(name="x", query=total_rows(User)))
        assert exact == {"total": (5, True)}

        monkeypatch.setattr(figures, "MAX_COUNTED", 3)
        monkeypatch.setattr(figures, "_LIMIT", literal_column("4"))
        if live_runtime.database.engine.dialect.name == "postgresql":
            async with live_runtime.database.transaction() as session:
                await session.execute(text("ANALYZE users"))
            assert await numbers(live_runtime, Figure(name="x", query=total_rows(User))) == {"total": (5, False)}
        else:
            assert await numbers(live_runtime, Figure(name="x", query=total_rows(User))) == {"total": (3, False)}
        active = rows_where(User, col(User.is_active).is_(True))
        assert await numbers(live_runtime, Figure(name="x", query=active)) == {"total": (3, False)}

    async def test_each_value_is_counted(self, live_runtime: Runtime) -> None:
        await add_users(live_runtime, 0, 0)
        found = await numbers(live_runtime, Figure(name="x", query=rows_by(col(User.role), Role)))

        assert found == {"user": (2, True), "admin": (0, True)}


class TestCost:
    """On many rows, measured in rows that the database reads."""

    async def test_each_figure_is_one_statement_that_reads_a_limited_number_of_rows(
        self, live_runtime: Runtime
    ) -> None:
        if live_runtime.database.engine.dialect.name != "postgresql":
            return  # Only PostgreSQL says how many rows it has read.
        await fill(live_runtime, 2 * figures.MAX_COUNTED)
        for module in (one for one in modules_of(live_runtime) if one.name in {"core", "users"}):
            for figure in module.figures:
                with statements_of(live_runtime.database) as sent:
                    await numbers(live_runtime, figure)
                assert len(sent) == 1
                assert await rows_read(live_runtime, figure) <= figures.MAX_COUNTED + 2, figure.name


async def fill(runtime: Runtime, count: int) -> None:
    """Users and webhook events."""
    tables = {
        "users": "id, role, is_active, created_at, updated_at) SELECT {key}, 'user', true, now(), now()",
        "inbox_events": "id, provider, event_id, payload, handler, status, attempts, next_attempt_at, received_at) "
        "SELECT {key}, 'x', n, '{{}}', 'x', 'done', 0, now(), now()",
    }
    async with runtime.database.transaction() as session:
        for table, rows in tables.items():
            key = "CAST(lpad(to_hex(n), 32, '0') AS uuid)"
            insert = f"INSERT INTO {table} ({rows.format(key=key)} FROM generate_series(1, {count}) AS n"
            await session.execute(text(insert))
        await session.execute(text("ANALYZE"))


class Explained(Executable, ClauseElement):
    """A statement that PostgreSQL runs and explains."""

    inherit_cache = False

    def __init__(self, statement: Executable) -> None:
        self.statement = statement


@compiles(Explained)
def _explain(element: Explained, compiler: SQLCompiler, **options: Any) -> str:  # noqa: ANN401 - SQLAlchemy's signature
    return f"EXPLAIN (ANALYZE, FORMAT JSON) {compiler.process(cast('ClauseElement', element.statement), **options)}"


async def rows_read(runtime: Runtime, figure: Figure) -> int:
    """The number of rows that the scans of a figure's statement return or discard."""
    ((plan,),) = await runtime.database.fetch(Explained(figure.query(runtime, utc_now())), {})
    return sum(scanned_rows(plan[0]["Plan"]))
