"""The commands of the documentation's pages about backups work as they are written."""

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest
from click.testing import CliRunner

from app.backup.client_programs import client_programs
from app.backup.encryption import new_identity
from app.cli.main import cli
from tests.backup.conftest import execute, fill, rows
from tests.databases import Databases, apart
from tests.pages import shell_commands

ENDLESS: Final = ("app backup schedule", "python -m app.backup.heartbeat", "app doctor")
"""Commands that run for ever, or whose result depends on more than the database: their arguments are checked."""


class Shell:
    """A shell for the commands of a page; `app` runs in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        monkeypatch.chdir(folder)
        monkeypatch.setenv("BACKUP_DIR", str(folder / "backups"))
        identity, public = new_identity()
        (folder / "backup-key.txt").write_text(identity)
        monkeypatch.setenv("BACKUP_AGE_RECIPIENT", public)

    def run(self, command: str) -> str:
        """Run a command, and return its output."""
        if command.startswith(ENDLESS):
            check_arguments(command)
            return ""
        if command.startswith("app "):
            return self._app(shlex.split(command)[1:])
        if command.startswith("export "):
            name = command.removeprefix("export ").partition("=")[0]
            self._monkeypatch.setenv(name, self._bash(f'{command}; printf %s "${name}"'))
            return ""
        return self._bash(command)

    def _app(self, arguments: list[str]) -> str:
        outputs: list[str] = []

        def invoke() -> None:
            result = CliRunner().invoke(cli, arguments)
            assert result.exit_code == 0, f"app {' '.join(arguments)}: {result.output}"
            outputs.append(result.stdout)

        apart(invoke)
        if arguments[:2] == ["backup", "new-key"]:
            self._monkeypatch.setenv("BACKUP_AGE_RECIPIENT", outputs[0].strip())
        return outputs[0]

    @staticmethod
    def _bash(command: str) -> str:
        path = f"{client_programs(18).folder}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],  # noqa: S607
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path},
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout


def check_arguments(command: str) -> None:
    """Check that a command exists and takes these arguments, without running it."""
    words = shlex.split(command)
    if words[0] == "python":
        done = subprocess.run([sys.executable, *words[1:]], capture_output=True, check=False)
        assert (done.returncode, done.stderr) in {(0, b""), (1, b"")}
        return
    found: click.Command = cli
    context = click.Context(cli)
    words = words[1:]
    while isinstance(found, click.Group):
        next_command = found.get_command(context, words.pop(0))
        assert next_command is not None, command
        found = next_command
    found.make_context(command, words)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in a folder of its own."""
    return Shell(tmp_path, monkeypatch)


async def test_the_page_about_backups(
    source: str, databases: Databases, shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", source)
    (tmp_path / "backup-key.txt").unlink()
    for command in shell_commands("backup.md"):
        if command.startswith("app backup restore"):
            async with databases.empty() as url:
                monkeypatch.setenv("DATABASE_URL", url)
                shell.run(command)
                assert await rows(url) == await rows(source)
        else:
            shell.run(command)


async def test_the_runbook_of_a_recovery(
    source: str, databases: Databases, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await rows(source)
    monkeypatch.setenv("DATABASE_URL", source)
    shell.run("app backup create --database-only")
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        await fill(url)
        await execute(url, 'DELETE FROM "Odd table"')
        for command in shell_commands("runbook/backup-and-recovery.md"):
            # The models don't know the test's own table.
            if command != "app db check":
                shell.run(command)
        assert await rows(url) == before


async def test_the_runbook_of_a_table(databases: Databases, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    async with databases.fresh() as url:
        if url.startswith("postgresql"):
            monkeypatch.setenv("DATABASE_URL", url)
            await fill(url)
            before = await rows(url)
            shell.run("app backup create --database-only")
            # References to the user come back with their own tables.
            await execute(
                url,
                "DO $$ BEGIN SET LOCAL session_replication_role = replica; "
                "DELETE FROM users WHERE email = 'user1@example.com'; END $$",
            )
            await execute(url, "UPDATE users SET email = 'changed@example.com' WHERE email = 'user2@example.com'")
            for command in shell_commands("runbook/restoring-a-table.md"):
                if command != "app backup create --to before-restore --database-only":
                    shell.run(command)
            after = await rows(url)
            assert len(after["users"]) == len(before["users"])
            assert "user1@example.com" in str(after["users"])
            assert "changed@example.com" in str(after["users"])
            assert after.keys() == before.keys()


async def test_the_runbook_of_a_full_disk(databases: Databases, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        shell.run("app backup create --database-only")
        for command in shell_commands("runbook/disk-full.md"):
            if url.startswith("postgresql") or not command.startswith("psql"):
                shell.run(command)
