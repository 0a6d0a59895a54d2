"""No list sends a statement for each of its rows. The table of routes is walked, so that new lists are tested too."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import httpx
from fastapi import FastAPI
from sqlalchemy import Column, Enum, Table, insert, inspect, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from app import project_modules
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.roles import Role
from tests.conftest import ME, SignIn
from tests.migrations.rows import value_for
from tests.statements import statements_of

FEW: Final = 3
MANY: Final = 12
SHOWN: Final = 50


async def test_a_list_of_many_rows_takes_as_many_statements_as_one_of_few(
    live_client: httpx.AsyncClient, live_runtime: Runtime, live_sign_in: SignIn
) -> None:
    headers = await live_sign_in(email="admin@example.com", role=Role.ADMIN)
    rows = Rows(live_runtime, UUID((await live_client.get(ME, headers=headers)).json()["id"]))
    lists = Lists(live_client, live_runtime, headers)

    await rows.add(FEW)
    await lists.read(await rows.keys())  # Statements of the first request, such as those that fill a cache.
    few = await lists.read(await rows.keys())
    await rows.add(MANY)
    many = await lists.read(await rows.keys())

    assert {path: count for path, (count, _) in few.items()} == {path: count for path, (count, _) in many.items()}
    assert [path for path in few if few[path][1] >= many[path][1]] == []
    assert few


class Lists:
    """The lists of the application."""

    def __init__(self, client: httpx.AsyncClient, runtime: Runtime, headers: dict[str, str]) -> None:
        self._client = client
        self._runtime = runtime
        self._headers = headers
        self._paths = tuple(list_routes(create_app(template_modules(), runtime=runtime)))

    async def read(self, keys: dict[str, UUID]) -> dict[str, tuple[int, int]]:
        """Return the numbers of statements and of rows of each list.

        Args:
            keys: the values of the parameters in paths.
        """
        found = {}
        for path in self._paths:
            with statements_of(self._runtime.database) as sent:
                answer = await self._client.get(path.format_map(keys), headers=self._headers, params={"limit": SHOWN})
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                continue  # A list of another system, which has no key.
            assert answer.status_code == httpx.codes.OK, (path, answer.text)
            found[path] = len(sent), len(answer.json()["items"])
        return found


def template_modules() -> list[Module]:
    """Return the modules except the project's own, whose tables may have constraints that no generated row meets."""
    return [module for module in MODULES if module not in project_modules.MODULES]


def list_routes(app: FastAPI) -> Iterator[str]:
    """Yield the paths whose answers are pages of rows."""
    for path, methods in app.openapi()["paths"].items():
        if "limit" in {parameter["name"] for parameter in methods.get("get", {}).get("parameters", ())}:
            yield path


class Rows:
    """Rows in every table. They belong to one user and to the same rows of other tables where that is possible."""

    def __init__(self, runtime: Runtime, user_id: UUID) -> None:
        self._runtime = runtime
        self._models = {inspect(model).local_table: model for module in template_modules() for model in module.models}
        self._user_id = user_id
        self._count = 0

    async def add(self, count: int) -> None:
        """Add rows to every table."""
        for _ in range(count):
            async with self._runtime.database.transaction() as session:
                for table in SQLModel.metadata.sorted_tables:
                    if table in self._models:
                        await self._insert(session, table)
            self._count += 1

    async def keys(self) -> dict[str, UUID]:
        """Return the first row that each foreign key can refer to, by the key's name, such as `flag_id`."""
        async with self._runtime.database.reading() as session:
            found = [
                (column.name, await session.scalar(select(key.column).order_by(key.column).limit(1)))
                for table in self._models
                for column in table.columns
                for key in column.foreign_keys
            ]
        return {name: value for name, value in found if value is not None}

    async def _insert(self, session: AsyncSession, table: Table) -> None:
        # A row that refers to the first rows may violate a unique constraint.
        for parent, user_id in ((0, self._user_id), (0, None), (self._count, self._user_id), (self._count, None)):
            with suppress(IntegrityError):
                async with session.begin_nested():
                    values = {
                        column.name: value
                        for column in table.columns
                        if (value := await self._value(session, table, column, parent, user_id)) is not None
                    }
                    await session.execute(insert(table).values(values))
                return
        raise AssertionError(f"No row can be added to {table.name}.")

    async def _value(
        self, session: AsyncSession, table: Table, column: Column[Any], parent: int, user_id: UUID | None
    ) -> object:
        """Return a value; `None` leaves the column to its default."""
        for key in column.foreign_keys:
            position = parent
            if key.column.table.name == "users":
                place = [each.name for each in table.columns if each.foreign_keys].index(column.name)
                if user_id is not None and place == 0:
                    return user_id
                position = self._count + place
            return await session.scalar(select(key.column).order_by(key.column).offset(position).limit(1))
        if str(column) == "users.role":
            return (Role.USER, Role.ADMIN)[self._count % 2].value
        if isinstance(column.type, Enum) and not column.nullable:
            return column.type.enums[self._count % len(column.type.enums)]
        if column.nullable or column.default is not None:
            return None
        is_list = str(self._models[table].model_fields[column.name].annotation).startswith(("list", "tuple"))
        return [] if is_list else varied(value_for(column), self._count)


def varied(value: object, number: int) -> object:
    """Return a value that differs from row to row, where its type has more than a few."""
    match value:
        case bool():
            return value
        case str():
            return f"{value}{number}"
        case bytes():
            return value + str(number).encode()
        case int():
            return value + number
        case datetime():
            return datetime.now(UTC) + timedelta(hours=1 + number)
        case _:
            return value
