"""Databases for tests, each a copy of one that has been migrated once."""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.dev.servers.postgres import private_postgres

type Migrate = Callable[[str], object]

MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder below it is made for this run alone
MEMORY_NEEDED: Final = 512 * 1024**2
"""Bytes. Containers often have 64 MiB of shared memory, which a few databases fill."""


class Databases(Protocol):
    """A factory of databases."""

    shared: str
    """The URL of the one that all tests share, each in a transaction that is rolled back."""

    def fresh(self) -> AbstractAsyncContextManager[str]:
        """The URL of one with the application's tables and no rows, for one test."""
        ...

    def empty(self) -> AbstractAsyncContextManager[str]:
        """The URL of one without tables, for one test."""
        ...

    async def close(self) -> None:
        """Close the engines that `fresh` and `empty` keep open for the next test, in their event loop."""
        ...


@contextmanager
def open_databases(url: str | None, folder: Path, migrate: Migrate) -> Iterator[Databases]:
    """Databases where the URL says, or on a private server, for the length of the block."""
    if url is not None and url.startswith("sqlite"):
        yield SqliteDatabases(folder, migrate)
    elif url is not None:
        with postgres_databases(url, migrate) as databases:
            yield databases
    else:
        with data_folder(folder) as data, private_postgres(data / "postgres", durable=False) as server:
            # They go with their server.
            databases = PostgresDatabases(server.url())
            apart(lambda: asyncio.run(databases.set_up(migrate)))
            yield databases


@contextmanager
def data_folder(fallback: Path, memory: Path = MEMORY) -> Iterator[Path]:
    """A folder for the server's data: in memory if at least `MEMORY_NEEDED` bytes are free there, else `fallback`.

    The name holds the process id: a run that was killed leaves its folder behind, and the next run removes it.
    """
    try:
        free = shutil.disk_usage(memory).free
    except OSError:
        free = 0
    if free < MEMORY_NEEDED or not os.access(memory, os.W_OK):
        yield fallback
        return
    prefix = "app-tests-"
    for stale in memory.glob(f"{prefix}*-*"):
        if not _is_running(stale.name.removeprefix(prefix).partition("-")[0]):
            shutil.rmtree(stale, ignore_errors=True)
    with TemporaryDirectory(prefix=f"{prefix}{os.getpid()}-", dir=memory, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, ValueError):
        return False
    except PermissionError:
        return True
    return True


class SqliteDatabases:
    """Files in a folder."""

    def __init__(self, folder: Path, migrate: Migrate) -> None:
        self._folder = folder
        self._template = folder / "template.db"
        apart(lambda: migrate(self._url(self._template)))
        self.shared = self._url(Path(shutil.copy(self._template, folder / "shared.db")))

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """See `Databases.fresh`."""
        yield self._url(Path(shutil.copy(self._template, self._folder / new_name())))

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """See `Databases.empty`."""
        yield self._url(self._folder / new_name())

    async def close(self) -> None:
        """See `Databases.close`."""

    @staticmethod
    def _url(path: Path) -> str:
        return f"sqlite+aiosqlite:///{path}"


class PostgresDatabases:
    """Databases of a server, whose own one is only connected to in order to make others."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
        self._template = new_name()
        self.shared = self._on(new_name())

    @asynccontextmanager
    async def fresh(self) -> AsyncIterator[str]:
        """See `Databases.fresh`."""
        async with self._database(template=self._template) as url:
            yield url

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """See `Databases.empty`."""
        async with self._database(template="template1") as url:
            yield url

    async def close(self) -> None:
        """See `Databases.close`."""
        await self._engine.dispose()

    async def set_up(self, migrate: Migrate) -> None:
        """Create the template and the shared database."""
        await self._execute(f"CREATE DATABASE {self._template}")
        await asyncio.to_thread(migrate, self._on(self._template))
        await self._execute(f"CREATE DATABASE {make_url(self.shared).database} TEMPLATE {self._template}")
        await self.close()

    async def tear_down(self) -> None:
        """Drop the databases that `set_up` created."""
        for name in (make_url(self.shared).database, self._template):
            await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await self.close()

    @asynccontextmanager
    async def _database(self, *, template: str) -> AsyncIterator[str]:
        name = new_name()
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self._on(name)
        await self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _on(self, name: str) -> str:
        return make_url(self._url).set(database=name).render_as_string(hide_password=False)

    async def _execute(self, statement: str) -> None:
        async with self._engine.connect() as connection:
            await connection.execute(text(statement))


@contextmanager
def postgres_databases(url: str, migrate: Migrate) -> Iterator[PostgresDatabases]:
    """Databases on a server, dropped at the end of the block."""
    databases = PostgresDatabases(url)
    try:
        apart(lambda: asyncio.run(databases.set_up(migrate)))
        yield databases
    finally:
        apart(lambda: asyncio.run(databases.tear_down()))


def new_name() -> str:
    """A name that no other test run uses."""
    return f"test_{secrets.token_hex(6)}"


def apart(work: Callable[[], object]) -> None:
    """Run a function in a thread, because its event loop must not meet that of the tests."""
    with ThreadPoolExecutor(1) as executor:
        executor.submit(work).result()
