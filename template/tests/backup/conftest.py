"""Fixtures of the backup tests: an application's database with rows, and a backup of it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect

from app.backup.context import BackupContext
from app.backup.create import create_backup
from app.backup.encryption import IdentityFile
from app.backup.portal import Portal
from app.backup.restore import RestoredBackup, restore_backup
from app.backup.settings import BackupSettings
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.engine import command_engine
from app.core.lifecycle import running
from app.main import create_app
from app.modules import MODULES
from tests.backup.memory_files import MemoryFiles, stores_of
from tests.conftest import make_client, make_runtime, sign_in_to
from tests.databases import Databases

FILES = {"files/a/1": b"first", "files/a/2": b"", "reports/2026.txt": b"x" * 70_000}
USERS = 3
type Rows = dict[str, list[str]]

ODD_POSTGRES = (
    "CREATE TYPE mood AS ENUM ('good', 'it''s bad')",
    (
        'CREATE TABLE "Odd table" (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, bytes bytea, number numeric, '
        "list text[], document jsonb, mood mood, time timestamptz, text text)"
    ),
    (
        'INSERT INTO "Odd table" (bytes, number, list, document, mood, time, text) VALUES '
        "('\\x00ff', 1e-30, '{a,NULL,\"b\\\\\"}', '{\"a\": [1, null]}', 'it''s bad', 'infinity', E'a\\n\\\\.\\t ü😀'), "
        "(NULL, 'NaN', '{}', 'null', NULL, NULL, ''), (NULL, NULL, NULL, NULL, NULL, NULL, '\\N')"
    ),
    'CREATE VIEW odd_view AS SELECT count(*) AS rows FROM "Odd table"',
)
ODD_SQLITE = (
    'CREATE TABLE "Odd table" (id integer PRIMARY KEY AUTOINCREMENT, bytes blob, number real, text text)',
    "INSERT INTO \"Odd table\" (bytes, number, text) VALUES (x'00ff', 1e-30, 'line\n\\.\ttab ü€😀'), (NULL, NULL, '')",
    'CREATE VIEW odd_view AS SELECT count(*) AS rows FROM "Odd table"',
)


async def fill(url: str) -> None:
    """Add users by the application, and a table with values that are hard to copy."""
    runtime = make_runtime(create_database(Settings().with_database(url)))
    async with running(runtime, background=False), make_client(create_app(MODULES, runtime=runtime)) as client:
        for number in range(USERS):
            await sign_in_to(runtime, client)(email=f"user{number}@example.com")
    await execute(url, *(ODD_SQLITE if url.startswith("sqlite") else ODD_POSTGRES))


async def execute(url: str, *statements: str) -> None:
    """Execute statements, each in a transaction of its own."""
    engine = command_engine(url)
    for statement in statements:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(statement)
    await engine.dispose()


async def rows(url: str) -> Rows:
    """Return every row of every table, as text."""

    def read(connection: Connection) -> Rows:
        found: Rows = {}
        # PostgreSQL shows a whole row as text, whatever its types are.
        columns = "*" if connection.dialect.name == "sqlite" else "CAST(r AS text)"
        for name in inspect(connection).get_table_names():
            result = connection.exec_driver_sql(f'SELECT {columns} FROM "{name}" AS r')  # noqa: S608 - of a test
            found[name] = sorted(repr(tuple(row)) for row in result)
        return found

    engine = command_engine(url)
    async with engine.connect() as connection:
        found = await connection.run_sync(read)
    await engine.dispose()
    return found


@contextmanager
def context_of(
    url: str, folder: Path, store: MemoryFiles | None, *, recipient: str = "", is_local: bool = True
) -> Iterator[BackupContext]:
    """The context of a command on a database, with a store of files."""
    with Portal() as portal:
        yield BackupContext(
            project_name="Test & Co.",
            settings=BackupSettings(BACKUP_DIR=str(folder), BACKUP_AGE_RECIPIENT=recipient),
            stores=stores_of(store, is_local=is_local) if store is not None else None,
            portal=portal,
            database_url=url,
        )


@pytest.fixture(scope="session")
async def source(databases: Databases, environment: None) -> AsyncIterator[str]:  # noqa: ARG001 - the order matters
    """The database of an application that has been used. Tests only read it."""
    async with databases.fresh() as url:
        await fill(url)
        yield url


@pytest.fixture(scope="session")
def plain(source: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup of `source` and the files, without encryption. Tests only read it."""
    return make(source, tmp_path_factory.mktemp("plain"), MemoryFiles(FILES))


@pytest.fixture
async def empty(databases: Databases) -> AsyncIterator[str]:
    """A database without tables."""
    async with databases.empty() as url:
        yield url


def make(url: str, folder: Path, store: MemoryFiles | None, *, recipient: str = "", is_local: bool = True) -> Path:
    """Make a backup of a database in a folder, and return its file."""
    with (
        context_of(url, folder, store, recipient=recipient, is_local=is_local) as context,
        context.destination(None) as destination,
    ):
        return Path(create_backup(context, destination, database_only=store is None).shown)


def restore(
    url: str, file: Path, store: MemoryFiles | None, *, replace: bool = False, identity: Path | None = None
) -> RestoredBackup:
    """Restore a backup into a database and a store of files."""
    with context_of(url, file.parent, store) as context, context.backup(str(file)) as backup:
        keys = IdentityFile(identity) if identity else None
        return restore_backup(context, backup, identity=keys, replace=replace, database_only=store is None)
