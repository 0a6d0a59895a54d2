"""The routes of the audit log: filters, pages, exports; and that every admin route leaves an entry in it."""

import asyncio
import csv
import io
import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from app.core.db.models import utc_now
from app.core.ports.audit import AuditEntry, Change
from app.core.runtime import Runtime
from app.users.roles import Role
from tests.audit.conftest import problems
from tests.conftest import ME, SignIn
from tests.statements import statements_of
from tests.users.admin_walk import Scene, walk

LOGS = "/api/v1/admin/dashboard/audit-logs"


async def add(runtime: Runtime, count: int = 1, **fields: Any) -> None:  # noqa: ANN401 - those of an entry
    """Record entries."""
    values: dict[str, Any] = {"actor_id": None, "action": "thing.changed", "target_type": "thing", "target_id": "1"}
    async with runtime.database.transaction() as session:
        for _ in range(count):
            await runtime.audit.record(session, AuditEntry(**(values | fields)))


class TestList:
    async def test_pages_show_every_entry_once_newest_first(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str]
    ) -> None:
        await add(runtime, 5)
        seen: list[str] = []
        params = {"limit": "2"}
        while True:
            page = (await client.get(LOGS, headers=admin, params=params)).json()
            seen += [entry["id"] for entry in page["items"]]
            await add(runtime)
            if page["next_cursor"] is None:
                break
            params["cursor"] = page["next_cursor"]

        assert len(seen) == len(set(seen)) == 5
        assert seen == sorted(seen, reverse=True)

    async def test_an_empty_log(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert (await client.get(LOGS, headers=admin)).json() == {"items": [], "next_cursor": None}

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"action": "user.updated"}, {"user.updated"}),
            ({"action": "user.*"}, {"user.updated", "user.erased"}),
            ({"action": "user.*", "target_id": "2"}, {"user.erased"}),
            ({"target_type": "flag"}, {"flag.updated"}),
            ({"target_type": "user", "target_id": "1"}, {"user.updated"}),
            ({"action": "none"}, set()),
        ],
        ids=["action", "actions", "action and target", "target type", "target", "nothing"],
    )
    async def test_filters(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str], query: dict[str, str], found: set[str]
    ) -> None:
        await add(runtime, action="user.updated", target_type="user", target_id="1")
        await add(runtime, action="user.erased", target_type="user", target_id="2")
        await add(runtime, action="flag.updated", target_type="flag", target_id="1")
        page = (await client.get(LOGS, headers=admin, params=query)).json()

        assert {entry["action"] for entry in page["items"]} == found

    async def test_filters_by_people_and_time(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str]
    ) -> None:
        actor, user = uuid4(), uuid4()
        await add(runtime, actor_id=actor, impersonated_id=user)
        await add(runtime)
        hour = timedelta(hours=1)
        for query, count in (
            ({"actor_id": str(actor)}, 1),
            ({"impersonated_id": str(user)}, 1),
            ({"since": (utc_now() - hour).isoformat()}, 2),
            ({"since": (utc_now() + hour).isoformat()}, 0),
            ({"until": (utc_now() - hour).isoformat()}, 0),
            ({"until": (utc_now() + hour).isoformat()}, 2),
        ):
            page = (await client.get(LOGS, headers=admin, params=query)).json()
            assert len(page["items"]) == count, query

    @pytest.mark.parametrize(
        "query",
        [{"limit": "0"}, {"limit": "101"}, {"cursor": "x"}, {"since": "2026-01-01"}, {"action": "%"}, {"other": "x"}],
        ids=str,
    )
    async def test_a_malformed_query_is_refused(
        self, client: httpx.AsyncClient, admin: dict[str, str], query: dict[str, str]
    ) -> None:
        assert (await client.get(LOGS, headers=admin, params=query)).status_code == 422

    async def test_one_entry(self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str]) -> None:
        await add(runtime, changes={"plan": Change("free", "pro")})
        (entry,) = (await client.get(LOGS, headers=admin)).json()["items"]

        assert (await client.get(f"{LOGS}/{entry['id']}", headers=admin)).json() == entry
        assert entry["changes"] == {"plan": ["free", "pro"]}
        assert (await client.get(f"{LOGS}/{uuid4()}", headers=admin)).status_code == 404

    async def test_reading_writes_nothing(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str]
    ) -> None:
        await add(runtime)
        with statements_of(runtime.database) as statements:
            await client.get(LOGS, headers=admin)
            await client.get(LOGS, headers=admin, params={"format": "csv"})

        assert all(statement.startswith(("SELECT", "SAVEPOINT", "RELEASE")) for statement in statements), statements


class TestExport:
    async def test_json_lines_have_every_entry(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.audit.queries.BATCH", 2)
        await add(runtime, 5)
        answer = await client.get(LOGS, headers=admin, params={"format": "jsonl", "limit": "1"})

        entries = [json.loads(line) for line in answer.text.splitlines()]
        assert len({entry["id"] for entry in entries}) == 5
        assert answer.headers["content-type"] == "application/jsonl; charset=utf-8"
        assert answer.headers["content-disposition"] == 'attachment; filename="audit-log.jsonl"'

    async def test_csv_is_safe_in_a_spreadsheet(
        self, client: httpx.AsyncClient, runtime: Runtime, admin: dict[str, str]
    ) -> None:
        formulas = ("=1+1", " =1", "\ufeff=1", "\uff1d1", "\uff20SUM(1)", "-1", "\t1")
        for formula in (*formulas, "a=1"):
            await add(runtime, target_id=formula, details={"reason": 'a "b", c'})
        answer = await client.get(LOGS, headers=admin, params={"format": "csv", "target_type": "thing"})

        rows = [*csv.DictReader(io.StringIO(answer.text))]
        assert {row["target_id"] for row in rows} == {f"'{formula}" for formula in formulas} | {"a=1"}
        assert json.loads(rows[0]["details"]) == {"reason": 'a "b", c'}


class TestAccess:
    @pytest.mark.parametrize("path", [LOGS, f"{LOGS}/{UUID(int=0)}"])
    async def test_is_for_administrators_only(self, client: httpx.AsyncClient, sign_in: SignIn, path: str) -> None:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers=await sign_in())).status_code == 403


async def test_every_admin_route_that_changes_something_leaves_an_entry(
    runtime: Runtime, client: httpx.AsyncClient, app: FastAPI, admin: dict[str, str]
) -> None:
    admin_id = (await client.get(ME, headers=admin)).json()["id"]
    async for route, request_id in walk(Scene(runtime=runtime, client=client, headers=admin), app):
        logged = (await client.get(LOGS, headers=admin, params={"request_id": request_id})).json()["items"]
        assert admin_id in {entry["actor_id"] for entry in logged}, route

    assert not await problems(runtime)


async def test_many_administrators_at_once(
    live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
) -> None:
    admin = await live_sign_in(email="admin@example.com", role=Role.ADMIN)
    users = [await live_sign_in(email=f"user{number}@example.com") for number in range(10)]
    ids = [(await live_client.get(ME, headers=headers)).json()["id"] for headers in users]
    answers = await asyncio.gather(
        *(
            live_client.patch(f"/api/v1/admin/users/{id_}", headers=admin, json={"full_name": f"Name {turn}"})
            for turn in range(5)
            for id_ in ids
        )
    )

    assert {answer.status_code for answer in answers} == {200}
    page = (await live_client.get(LOGS, headers=admin, params={"action": "user.updated", "limit": "100"})).json()
    assert len(page["items"]) == 50
    assert not await problems(live_runtime)
