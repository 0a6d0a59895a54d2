"""Failures that only SQLite has. They need no other database."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from app.backup import sqlite_database
from app.backup.errors import BackupError
from app.backup.sqlite_database import SqliteRestore, sqlite_snapshot


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A database with a table."""
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE things (id integer)")
        connection.commit()
    return path


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_a_restore_gives_up_while_another_process_writes(
    file: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_TIMEOUT", 0.1)
    url = f"sqlite+aiosqlite:///{file}"
    content = file.read_bytes()
    with closing(sqlite3.connect(file, isolation_level=None)) as other, closing(SqliteRestore(url)) as restore:
        other.execute(statement)
        restore.write(content)
        restore.end()
        with pytest.raises(BackupError, match="Other processes use the database"):
            restore.commit({"things": 0})


def test_a_backup_gives_up_while_another_process_locks_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_database, "BUSY_TIMEOUT", 0.1)
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BackupError, match="The backup was not written"), sqlite_snapshot(f"sqlite:///{file}"):
            pass


def test_a_table_that_cannot_be_read_is_an_error_without_a_traceback(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA writable_schema=ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = 'CREATE VIRTUAL TABLE things USING absent(id)', rootpage = 0"
        )
        connection.commit()
    with closing(SqliteRestore(f"sqlite:///{file}")) as restore:
        restore.write(file.read_bytes())
        restore.end()
        with pytest.raises(BackupError, match="SQLite refused"):
            restore.check({"things": 0})
