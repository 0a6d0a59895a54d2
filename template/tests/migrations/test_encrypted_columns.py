"""An encrypted column, with the statements that the commands `app db` make: up, down, and up again."""

import asyncio
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlmodel import Field, SQLModel

from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import metadata
from app.core.lifecycle import create_runtime, running
from app.core.module import module as core
from app.crypto.columns import EncryptedText
from app.crypto.module import module as crypto
from app.migrate import migrations
from app.migrate.differences import Differences, differences, make_revision

pytestmark = pytest.mark.usefixtures("folder", "table")


class SafeDeposit(SQLModel, table=True):
    """A row with a secret."""

    __tablename__ = "safe_deposits"

    id: int = Field(primary_key=True)
    content: SecretStr = Field(sa_type=EncryptedText)
    note: SecretStr | None = Field(default=None, sa_type=EncryptedText)


TABLE = metadata.tables["safe_deposits"]
metadata.remove(TABLE)


@pytest.fixture
def table() -> Iterator[None]:
    """Add the table to those of the application, for one test."""
    metadata._add_table(TABLE.name, None, TABLE)  # noqa: SLF001 - no public method puts a table back
    yield
    metadata.remove(TABLE)


async def test_the_column_survives_autogenerate_up_and_down(url: str) -> None:
    await asyncio.to_thread(migrations.upgrade, url)
    written = await asyncio.to_thread(make_revision, url, "Safe deposits")
    assert written.path is not None
    text = written.path.read_text(encoding="utf-8")
    assert text.count("sa.Text()") == 2
    assert "app.crypto" not in text
    for _ in range(2):
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == Differences([], [])
        await write_and_read(url)
        await asyncio.to_thread(migrations.downgrade, url, "app@base")


async def write_and_read(url: str) -> None:
    database = create_database(Settings().with_database(url))
    async with running(create_runtime((core, crypto), database=database), background=False) as runtime:
        async with runtime.database.transaction() as session:
            session.add(SafeDeposit(id=1, content=SecretStr("gold")))
        async with runtime.database.reading() as session:
            found = await session.get(SafeDeposit, 1)
            assert found is not None
            assert found.content.get_secret_value() == "gold"
