"""The rotation of keys, and the commands `app crypto`."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlmodel import col
from uuid_utils.compat import uuid7

from app.core.commands import CommandLine
from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from app.crypto import rotation
from app.crypto.commands import crypto
from app.crypto.rotation import count_by_key, rotate, rotated_columns
from app.kit.crypto.encryption import EncryptionKey
from tests.crypto.integrations import MODULES, Integration, Preference, make_tables
from tests.crypto.keys import LOST, NEW, OLD, use_keys
from tests.databases import Databases

COUNT = 7


@asynccontextmanager
async def opened(database: Database, monkeypatch: pytest.MonkeyPatch, *keys: EncryptionKey) -> AsyncIterator[Runtime]:
    """A runtime with these keys."""
    use_keys(monkeypatch, *keys)
    async with running(create_runtime((core, *MODULES), database=database), background=False) as started:
        yield started


async def fill(runtime: Runtime, count: int = COUNT) -> None:
    async with runtime.database.transaction() as session:
        for number in range(count):
            session.add(Integration(owner_id=uuid7(), name=str(number), token=SecretStr(f"token {number}")))
        session.add(Preference(user="a", name="x", value=SecretStr("preferred")))


async def tokens(runtime: Runtime) -> dict[str, str]:
    async with runtime.database.reading() as session:
        return {it.name: it.token.get_secret_value() for it in await session.scalars(select(Integration))}


async def counts(runtime: Runtime) -> dict[str, dict[str, int]]:
    return {it.name: await count_by_key(runtime, it) for it in rotated_columns(runtime)}


async def run(runtime: Runtime, *, dry_run: bool = False) -> tuple[int, list[str]]:
    """Rotate every column, and return the number of values and the failures."""
    batches = [batch for it in rotated_columns(runtime) async for batch in rotate(runtime, it, dry_run=dry_run)]
    return sum(batch.done for batch in batches), [each.reason for batch in batches for each in batch.failures]


@pytest.fixture
async def filled(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database whose values have the old key."""
    monkeypatch.setattr(rotation, "BATCH", 3)
    async with opened(database, monkeypatch, OLD) as runtime:
        await make_tables(runtime)
        await fill(runtime)
    return database


class TestRotation:
    async def test_every_value_gets_the_first_key(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        async with opened(filled, monkeypatch, NEW, OLD) as runtime:
            before = await tokens(runtime)
            assert await run(runtime) == (COUNT + 1, [])
            assert await counts(runtime) == {
                "integrations.token": {"new": COUNT, "old": 0, "unknown": 0},
                "integrations.note": {"new": 0, "old": 0, "unknown": 0},
                "preferences.value": {"new": 1, "old": 0, "unknown": 0},
                "numbered.secret": {"new": 0, "old": 0, "unknown": 0},
            }
        async with opened(filled, monkeypatch, NEW) as runtime:
            assert await tokens(runtime) == before

    async def test_a_second_run_changes_no_value(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        async with opened(filled, monkeypatch, NEW, OLD) as runtime:
            await run(runtime)
            assert await run(runtime) == (0, [])

    async def test_a_dry_run_decrypts_and_changes_nothing(
        self, filled: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(filled, monkeypatch, NEW, OLD) as runtime:
            assert await run(runtime, dry_run=True) == (COUNT + 1, [])
            assert (await counts(runtime))["integrations.token"] == {"new": 0, "old": COUNT, "unknown": 0}

    async def test_an_interrupted_run_is_continued(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        async with opened(filled, monkeypatch, NEW, OLD) as runtime:
            column = next(rotated_columns(runtime))
            async for _ in rotate(runtime, column):
                break
            assert (await count_by_key(runtime, column))["new"] == 3
            assert await run(runtime) == (COUNT - 3 + 1, [])

    async def test_updated_at_is_kept(self, filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        async with opened(filled, monkeypatch, NEW, OLD) as runtime:
            async with runtime.database.reading() as session:
                before = (await session.scalars(select(col(Integration.updated_at)))).all()
            await run(runtime)
            async with runtime.database.reading() as session:
                assert (await session.scalars(select(col(Integration.updated_at)))).all() == before

    async def test_a_value_that_cannot_be_decrypted_is_reported_and_kept(
        self, filled: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with opened(filled, monkeypatch, NEW, OLD) as runtime:
            async with runtime.database.transaction() as session:
                lost = text("UPDATE integrations SET token = replace(token, 'v1.old.', 'v1.lost.') WHERE name = '2'")
                await session.execute(lost)
                await session.execute(text("UPDATE integrations SET token = 'plain' WHERE name = '4'"))
            done, failures = await run(runtime)
            assert done == COUNT - 2 + 1
            # Each pass reports them.
            assert len(set(failures)) == 2
            assert (await counts(runtime))["integrations.token"] == {"new": COUNT - 2, "old": 0, "unknown": 2}


class TestBesideWriters:
    async def test_no_change_is_lost(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rotation, "BATCH", 3)
        async with databases.fresh() as url:
            database = create_database(Settings().with_database(url))
            async with opened(database, monkeypatch, OLD) as runtime:
                await make_tables(runtime)
                await fill(runtime, 30)
            database = create_database(Settings().with_database(url))
            async with opened(database, monkeypatch, NEW, OLD) as runtime:
                await asyncio.gather(run(runtime), *(rewrite(runtime, range(start, 30, 3)) for start in range(3)))
                await run(runtime)

                assert await tokens(runtime) == {str(number): f"changed {number}" for number in range(30)}
                assert (await counts(runtime))["integrations.token"] == {"new": 30, "old": 0, "unknown": 0}

    async def test_a_locked_row_does_not_stop_the_others(
        self, databases: Databases, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async with databases.fresh() as url:
            database = create_database(Settings().with_database(url))
            if database.engine.dialect.name == "sqlite":  # has no locks of rows
                return
            async with opened(database, monkeypatch, OLD) as runtime:
                await make_tables(runtime)
                await fill(runtime)
            database = create_database(Settings().with_database(url))
            async with opened(database, monkeypatch, NEW, OLD) as runtime:
                async with runtime.database.transaction() as session:
                    await session.scalars(select(Integration).where(col(Integration.name) == "2").with_for_update())
                    async with asyncio.timeout(5):
                        assert await run(runtime) == (COUNT - 1 + 1, [])
                assert await run(runtime) == (1, [])


async def rewrite(runtime: Runtime, numbers: Sequence[int]) -> None:
    for number in numbers:
        async with runtime.database.transaction() as session:
            found = select(Integration).where(col(Integration.name) == str(number))
            row = (await session.scalars(found)).one()
            await asyncio.sleep(0)
            row.token = SecretStr(f"changed {number}")


class TestCommands:
    @pytest.fixture(autouse=True)
    async def url(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
        """The database that the command finds in its environment."""
        async with databases.fresh() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            async with opened(create_database(Settings()), monkeypatch, OLD) as runtime:
                await make_tables(runtime)
                await fill(runtime)
            yield url

    async def command(self, *arguments: str, modules: tuple[Module, ...] = MODULES) -> Result:
        """Run `app crypto …` in a thread, because it starts its own event loop."""
        line = CommandLine(modules=(core, *modules), database=nullcontext)
        return await asyncio.to_thread(CliRunner().invoke, crypto, arguments, obj=line)

    async def test_rotate(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_keys(monkeypatch, NEW, OLD)

        dry = await self.command("rotate", "--dry-run")
        done = await self.command("rotate")

        assert dry.exit_code == done.exit_code == 0
        assert "integrations.token: 0 with the first key (new), 7 with old" in dry.stdout
        assert "integrations.token: 7 with the first key (new)\n" in done.stdout

    async def test_a_lost_key_fails_the_command_and_shows_no_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_keys(monkeypatch, NEW, LOST)

        result = await self.command("rotate")

        assert result.exit_code == 1
        assert "7 with unknown" in result.stdout
        assert "encrypted with the key 'old', which is not among the encryption keys" in result.stderr
        assert "Keep the former keys" in result.stderr
        assert "token 1" not in result.output

    async def test_without_encrypted_columns(self) -> None:
        result = await self.command("rotate", modules=MODULES[:1])

        assert (result.exit_code, result.stdout) == (0, "No table has an encrypted column.\n")

    async def test_new_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        result = await self.command("new-key", "--id", "2031-01")
        refused = await self.command("new-key", "--id", "A b")
        unnamed = EncryptionKey.parse((await self.command("new-key")).stdout.strip())

        # With the time: two keys of one day can be in one list.
        assert re.fullmatch(r"\d{4}-\d{2}-\d{2}-\d{6}", unnamed.id)
        key = EncryptionKey.parse(result.stdout.strip())
        assert (key.id, len(key.secret)) == ("2031-01", 32)
        use_keys(monkeypatch, key, OLD)
        assert (await self.command("rotate")).exit_code == 0
        assert refused.exit_code == 1
        assert "must be 1 to 32 lower-case letters" in refused.output
