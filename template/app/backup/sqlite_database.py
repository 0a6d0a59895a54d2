"""Back up and restore a SQLite database with SQLite's online backup, while others use it."""

import os
import secrets
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import make_url

from app.backup.archive import READ_SIZE
from app.backup.errors import BackupError
from app.backup.snapshot import Snapshot

BUSY_TIMEOUT: Final = 30.0
"""Seconds to wait for a transaction of another process."""
VERSION_TABLE: Final = "alembic_version"
COPY_MARK: Final = ".backup-copy-"


@contextmanager
def sqlite_snapshot(url: str) -> Iterator[Snapshot]:
    """Hold a copy of the database until the end of the block. It lies beside the database, as private as that.

    Raises:
        BackupError: the database does not exist, or is busy.
    """
    path = database_path(url)
    if not path.is_file():
        raise BackupError(f"The database {path} does not exist. Check DATABASE_URL.")
    with _copy_file(path) as copy:
        with _errors("The backup was not written."), closing(connect(path)) as source, closing(connect(copy)) as target:
            _copy(source, target)
            # One file, without a log beside it.
            target.execute("PRAGMA journal_mode=DELETE")
        with _errors("The backup was not written."), closing(connect(copy)) as connection:
            tables, revisions = row_counts(connection), current_revisions(connection)
        yield Snapshot(
            kind="sqlite",
            server_version=sqlite3.sqlite_version,
            revisions=revisions,
            tables=tables,
            dump=lambda: _content(copy),
        )


class SqliteRestore:
    """A running restore. Call `write` for each part of the dump, then `end`, then `commit`. `close` always."""

    def __init__(self, url: str) -> None:
        self._path = database_path(url)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._context = _copy_file(self._path)
        self._copy = self._context.__enter__()
        self._file = self._copy.open("wb")

    def write(self, content: bytes) -> None:
        """Restore a part of the dump."""
        self._file.write(content)

    def end(self) -> None:
        """Check the restored file. The database is unchanged.

        Raises:
            BackupError: it is not a SQLite database, or damaged.
        """
        self._file.close()
        with _errors("Nothing was changed."), closing(connect(self._copy)) as connection:
            if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise BackupError("The database in the backup is damaged. Nothing was changed.")

    def check(self, tables: Mapping[str, int]) -> None:
        """Compare the number of rows of every table.

        Raises:
            BackupError: they differ.
        """
        with _errors("Nothing was changed."), closing(connect(self._copy)) as source:
            if row_counts(source) != dict(tables):
                raise BackupError("The tables in the backup have other numbers of rows than its manifest.")

    def commit(self, tables: Mapping[str, int]) -> None:
        """Replace the database's content, in one transaction, if every table has its number of rows.

        Raises:
            BackupError: others use the database, or the numbers differ.
        """
        self.check(tables)
        with (
            _errors("The database is as it was before."),
            closing(connect(self._copy)) as source,
            closing(connect(self._path)) as target,
        ):
            _copy(source, target)

    def close(self) -> None:
        """Remove the copy."""
        self._file.close()
        self._context.__exit__(None, None, None)


def database_path(url: str) -> Path:
    """Return the file of a SQLite database."""
    return Path(str(make_url(url).database)).resolve()


def connect(path: Path) -> sqlite3.Connection:
    """Open a database file."""
    return sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)


def _copy(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Copy a whole database in one transaction.

    Raises:
        sqlite3.OperationalError: another process held a lock for longer than BUSY_TIMEOUT. `backup` alone would try
            again without an end.
    """
    began = time.monotonic()

    def check(status: int, _remaining: int, _total: int) -> None:
        if status in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED} and time.monotonic() - began >= BUSY_TIMEOUT:
            raise sqlite3.OperationalError("database is locked")

    source.backup(target, progress=check)


def row_counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of each table."""
    return {name: _one(connection, f"SELECT count(*) FROM {_quoted(name)}") for name in table_names(connection)}  # noqa: S608


def table_names(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the tables."""
    statement = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name"
    return [str(name) for (name,) in connection.execute(statement)]


def filled_tables(connection: sqlite3.Connection) -> list[str]:
    """Return the names of the tables that have rows, without the record of the migrations."""
    return [
        name
        for name in table_names(connection)
        if name != VERSION_TABLE and _one(connection, f"SELECT EXISTS (SELECT 1 FROM {_quoted(name)})")  # noqa: S608
    ]


def current_revisions(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return the newest applied revision of each branch."""
    if VERSION_TABLE not in table_names(connection):
        return ()
    rows = connection.execute(f"SELECT version_num FROM {VERSION_TABLE} ORDER BY version_num")  # noqa: S608 - a constant
    return tuple(str(revision) for (revision,) in rows)


def _one(connection: sqlite3.Connection, statement: str) -> int:
    return int(connection.execute(statement).fetchone()[0])


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


@contextmanager
def _copy_file(path: Path) -> Iterator[Path]:
    """Yield an empty private file beside a database, and remove it at the end, with those of killed processes."""
    prefix = f".{path.name}{COPY_MARK}"
    copy = path.with_name(f"{prefix}{os.getpid()}-{secrets.token_hex(4)}")
    for other in path.parent.glob(f"{prefix}*"):
        if not _runs(other.name.removeprefix(prefix).partition("-")[0]):
            other.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield copy
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)


def _runs(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _errors(consequence: str) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise BackupError(f"Other processes use the database. Stop the application. {consequence}") from None
        raise BackupError(f"SQLite refused: {error}. {consequence}") from None


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(READ_SIZE):
            yield chunk
