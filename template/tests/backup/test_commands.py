"""The commands `app backup …`, as a user runs them."""

import os
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.backup.encryption import new_identity
from app.cli.main import cli
from tests.backup.conftest import execute, rows
from tests.databases import Databases, apart


@pytest.fixture(autouse=True)
def used(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of an application with rows."""
    monkeypatch.setenv("DATABASE_URL", source)
    monkeypatch.setenv("BACKUP_DIR", str(tmp_path / "backups"))


def app(*arguments: str, answer: str | None = None) -> Result:
    """Run `app backup` with an answer to its question."""
    results: list[Result] = []
    apart(lambda: results.append(CliRunner().invoke(cli, ["backup", *arguments], input=answer)))
    return results[0]


def done(*arguments: str, answer: str | None = None) -> str:
    """Run the command, and return its output."""
    result = app(*arguments, answer=answer)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*arguments: str, answer: str | None = None) -> str:
    """Run the command, and return its error message."""
    result = app(*arguments, answer=answer)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit)
    return result.stderr


async def test_from_a_backup_to_a_restored_database(
    source: str, databases: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    created = done("create", "--database-only")
    assert "rows in" in created
    assert "It is not encrypted" in created
    name = next((tmp_path / "backups").glob("*.tar")).name
    assert name in done("list")
    assert name in done("list", str(tmp_path / "backups"))
    assert "is complete and intact" in done("verify", "latest")
    assert "restored into a temporary database" in done("verify", name, "--restore")
    assert "Deleted 0 backups, 1 remain." in done("prune")
    before = await rows(source)

    async with databases.empty() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        aborted = app("restore", name, answer="n\n")
        assert aborted.exit_code == 1
        assert await rows(url) == {}
        assert "Restored" in done("restore", name, answer="y\n")
        assert await rows(url) == before
        await execute(url, "DELETE FROM alembic_version")
        assert "is not empty" in refused("restore", name, "--yes")
        done("restore", str(tmp_path / "backups" / name), "--yes", "--replace")
        assert await rows(url) == before


def test_with_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key.txt"
    public = done("new-key", str(file)).strip()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "exists already" in refused("new-key", str(file))
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", public)
    assert "not encrypted" not in done("create", "--database-only")
    assert "agrees with its checksum" in done("verify", "latest")
    assert "is complete and intact" in done("verify", "latest", "--identity", str(file))
    (tmp_path / "other.txt").write_text(new_identity()[0])
    assert "another key" in refused("verify", "latest", "--identity", str(tmp_path / "other.txt"))
    for path in (tmp_path / "backups").glob("*.sha256"):
        path.unlink()
    assert "Pass --identity" in refused("verify", "latest")


async def test_a_key_is_read_from_a_pipe(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    public = done("new-key", str(tmp_path / "key.txt")).strip()
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", public)
    done("create", "--database-only")
    async with databases.empty() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        reader, writer = os.pipe()
        os.write(writer, (tmp_path / "key.txt").read_bytes())
        os.close(writer)
        done("restore", "latest", "--yes", "--database-only", "--identity", f"/dev/fd/{reader}")
        os.close(reader)
        assert await rows(url) == await rows(source)


def test_the_dump_can_be_taken_out(tmp_path: Path) -> None:
    done("create", "--database-only")
    target = tmp_path / "dump"
    done("extract", "latest", str(target))
    assert target.read_bytes()[:5] in {b"PGDMP", b"SQLit"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "exists already" in refused("extract", "latest", str(target))


def test_a_missing_or_damaged_backup_is_named(tmp_path: Path) -> None:
    assert "has no backup latest" in refused("verify", "latest")
    assert "has no backup ../absent.tar" in refused("restore", "../absent.tar", "--yes")
    assert app("list").stderr.startswith("No backups in ")
    done("create", "--database-only")
    file = next((tmp_path / "backups").glob("*.tar"))
    file.write_bytes(file.read_bytes()[:-2000])
    for arguments in (("verify", "latest"), ("restore", "latest", "--yes"), ("extract", "latest", str(tmp_path / "x"))):
        assert "damaged" in refused(*arguments)
    assert not (tmp_path / "x").exists()
    (tmp_path / "empty").touch()
    assert "incomplete" in refused("verify", str(tmp_path / "empty"))


def test_a_place_that_is_no_bucket_is_refused() -> None:
    assert "must look like s3://bucket/folder" in refused("list", "s3://UPPER/x")


def test_the_time_of_a_schedule_is_checked() -> None:
    assert "is not a time" in app("schedule", "--at", "25:00").output
