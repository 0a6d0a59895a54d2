"""The commands of the pages in docs/runbook/ work as they are written."""

import re
import shlex
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

import click
import httpx
import pytest
from click.testing import Result
from pydantic import SecretStr
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from app.auth.port import Identity
from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import settings_classes
from app.migrate.database_state import on_database
from app.migrate.exclusive import LOCK
from app.modules import MODULES
from app.users.identities import create_user
from tests.cli.test_commands import app
from tests.conftest import make_runtime
from tests.databases import Databases, apart, new_name
from tests.pages import FOLDER, shell_commands

PAGES: Final = sorted(path.name for path in (FOLDER / "runbook").glob("*.md"))
SQL: Final = re.compile(r"^```sql\n(.*?)^```", re.DOTALL | re.MULTILINE)
INLINE: Final = re.compile(r"`(app [^`]+)`")
CHECKED: Final = ("app doctor", "app settings", "openssl", "app db log")
"""Commands whose result depends on more than the database: their arguments are checked."""


def page(name: str) -> str:
    """The text of a page."""
    return (FOLDER / "runbook" / name).read_text(encoding="utf-8")


def check_arguments(command: str) -> None:
    """Check that `app` has this command and takes these arguments, without running it."""
    words = shlex.split(command, comments=True)[1:]
    found: click.Command = cli
    while isinstance(found, click.Group):
        following = found.get_command(click.Context(cli), words.pop(0)) if words else None
        assert following is not None, command
        found = following
    if words:
        found.make_context(command, words)


def run(name: str) -> list[Result]:
    """Run the commands of a page, and return the results of those that are run."""
    results = []
    for command in shell_commands(f"runbook/{name}"):
        if command.startswith("app ") and not command.startswith(CHECKED):
            line, _, comment = command.partition(" #")
            results.append(app(*shlex.split(line)[1:]))
            assert results[-1].exit_code == (1 if "fails" in comment else 0), f"{command}: {results[-1].output}"
        elif command.startswith("app "):
            check_arguments(command)
    return results


def statements(name: str) -> list[str]:
    """The SQL statements of a page."""
    return [it.strip() for block in SQL.findall(page(name)) for it in block.split(";") if it.strip()]


@pytest.fixture
async def user(databases: Databases, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of a database with the user me@example.com, which is DATABASE_URL."""
    monkeypatch.chdir(tmp_path)
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        runtime = make_runtime(create_database(Settings()))
        identity = Identity(provider="test", subject="me", email="me@example.com", email_verified=True, name=None)
        await create_user(runtime, identity)
        await runtime.database.dispose()
        yield url


@pytest.mark.parametrize("name", PAGES)
def test_every_command_in_the_text_exists(name: str) -> None:
    for command in INLINE.findall(page(name)):
        check_arguments(command.replace("…", ""))


@pytest.mark.parametrize("name", [it for it in PAGES if it != "README.md"])
def test_every_page_has_the_same_parts_and_is_in_the_index(name: str) -> None:
    if "## Symptom" in page(name):
        assert re.findall(r"^## (.*)$", page(name), re.MULTILINE) == ["Symptom", "Look", "Do", "Afterwards"]
    assert f"]({name})" in page("README.md")


@pytest.mark.usefixtures("user")
async def test_the_commands_for_an_incident(client: httpx.AsyncClient) -> None:
    run("incident.md")
    (path,) = re.findall(r'"\$PUBLIC_URL(/[^"]+)"', page("incident.md"))
    assert (await client.get(path)).status_code == 200


@pytest.mark.usefixtures("user")
def test_the_commands_for_an_erasure(tmp_path: Path) -> None:
    results = run("erasing-a-user.md")
    assert "me@example.com" in results[0].output
    assert (tmp_path / "export.json").exists()
    assert "me@example.com" in results[-1].stderr


async def test_the_commands_for_a_stuck_migration(user: str) -> None:
    run("stuck-migration.md")
    if user.startswith("sqlite"):
        return
    waiting, cancel = statements("stuck-migration.md")
    engine = create_async_engine(user)
    async with engine.connect() as holder:
        await holder.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        async with engine.connect() as connection:
            assert (await connection.execute(text(waiting))).all()
            assert (await connection.execute(text(cancel))).scalars().all() == [True]
    await engine.dispose()


@pytest.mark.usefixtures("user")
def test_the_commands_for_secrets() -> None:
    assert len(run("rotating-secrets.md")) == 1


def test_the_statements_for_the_password_of_the_database(databases: Databases) -> None:
    if databases.shared.startswith("sqlite"):
        return
    role = new_name()

    def execute(connection: Connection) -> None:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'old'"))
        for statement in statements("rotating-secrets.md"):
            connection.execute(text(re.sub(r"\bapp(?=_b|\b)", role, statement)))
        connection.execute(text(f"SET ROLE {role}_b"))
        connection.execute(text("RESET ROLE"))
        connection.execute(text(f"DROP ROLE {role}, {role}_b"))

    apart(partial(on_database, databases.shared, execute))


def test_every_secret_is_on_the_page_about_rotation() -> None:
    named = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", page("rotating-secrets.md"), re.MULTILINE))
    fields = {name: field for cls in settings_classes(MODULES) for name, field in cls.model_fields.items()}
    secret = {
        name
        for name, field in fields.items()
        if SecretStr.__name__ in str(field.annotation) or SecretStr.__name__ in str(field.metadata)
    }
    assert {"SECRET_KEY", "DATABASE_URL"} | secret <= named
    described = set(re.findall(r"`([A-Z0-9_]+)`", (FOLDER / "settings.md").read_text(encoding="utf-8")))
    assert named <= described
