"""The revision with which the database accepts any role."""

import asyncio

import pytest
from sqlalchemy import Connection, text

from app.core.db.models import metadata
from app.migrate import migrations
from app.migrate.database_state import on_database
from app.users.models import User
from tests.migrations.rows import count, fill


def set_role(role: str) -> str:
    return f"UPDATE users SET role = '{role}'"  # noqa: S608 - a constant of the test


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("stored", "expected"), [("admin", "admin"), ("support", "user")])
async def test_keeps_roles_and_downgrades_to_the_built_in_ones(url: str, stored: str, expected: str) -> None:
    def write(connection: Connection) -> None:
        connection.execute(text(set_role(stored)))

    def read(connection: Connection) -> str:
        return str(connection.scalar(text("SELECT role FROM users")))

    await asyncio.to_thread(migrations.upgrade, url)
    await fill(url, metadata)
    await asyncio.to_thread(on_database, url, write)
    dependents = {table.name: await count(url, table) for table in metadata.sorted_tables}

    await asyncio.to_thread(migrations.downgrade, url, "users_0002")
    assert await asyncio.to_thread(on_database, url, read) == expected
    await asyncio.to_thread(migrations.upgrade, url)

    assert await asyncio.to_thread(on_database, url, read) == expected
    assert {table.name: await count(url, table) for table in metadata.sorted_tables} == dependents
    assert dependents[User.__tablename__] == 1
