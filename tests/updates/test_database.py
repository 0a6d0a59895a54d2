"""A module removed from, and added to, a database that has lived: the users' rows are all there afterwards."""

import os
import secrets
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from copier import run_copy
from omnistack.process import LEAKING_VARIABLES, run

from tests.updates.own import add_own_module
from tests.updates.workshop import V1, MakeProject, Project, Repository

pytestmark = pytest.mark.slow

STATEMENTS = '''\
"""Run statements on the project's database, and print the rows of each that has some."""

import asyncio
import sys

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.dev.local import database_url


async def run(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in sys.argv[1:]:
            result = await connection.execute(text(statement))
            if result.returns_rows:
                print(*(" ".join(map(str, row)) for row in result), sep="\\n")
    await engine.dispose()


with database_url("test") as url:
    asyncio.run(run(url))
'''
# Keys are written without hyphens, as SQLite keeps them; PostgreSQL reads that too.
NEW_USER = """
    INSERT INTO users (id, created_at, updated_at, email, role, is_active) VALUES
    ('00000000000070008000000000000001', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', 'me@example.com',
    'user', true)
"""
NEW_PROJECT = """
    INSERT INTO projects (id, created_at, updated_at, owner_id, name) VALUES
    ('00000000000070008000000000000002', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00',
    '00000000000070008000000000000001', 'Mine')
"""
NEW_INVOICE = """
    INSERT INTO invoices (id, created_at, updated_at, owner_id, cents) VALUES
    ('00000000000070008000000000000003', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00',
    '00000000000070008000000000000001', 990)
"""


@pytest.fixture(scope="module")
def python(releases: Repository, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install what the project needs, without the project, once for all tests."""
    folder = tmp_path_factory.mktemp("environment") / "project"
    with warnings.catch_warnings(action="ignore"):
        run_copy(str(releases.root), folder, vcs_ref=V1, defaults=True, quiet=True)
    run(["uv", "sync", "--quiet", "--no-install-project", "--python", sys.executable], cwd=folder)
    return folder / ".venv" / ("Scripts" if os.name == "nt" else "bin") / "python"


class Database:
    """A project's database, through the commands that a user has."""

    def __init__(self, made: Project, python: Path, url: str) -> None:
        self._made, self._python = made, python
        kept = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
        self._environment = kept | {
            "DATABASE_URL": url,
            "ENVIRONMENT": "local",
            "PROJECT_NAME": "Updates",
            "SECRET_KEY": secrets.token_hex(32),
        }

    def app(self, *arguments: str) -> str:
        """Run the command `app`."""
        return self._run("-m", "app.cli.main", *arguments)

    def sql(self, *statements: str) -> list[str]:
        """Run statements and give the rows."""
        return self._run("-c", STATEMENTS, *statements).splitlines()

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [self._python, *arguments], cwd=self._made.root, env=self._environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///./mine.db", ""], ids=["SQLite", "PostgreSQL"])
def test_projects_goes_and_comes_back_after_the_users_own_revisions(
    project: MakeProject, python: Path, url: str
) -> None:
    made = project()
    database = Database(made, python, url)
    database.app("db", "upgrade")
    database.sql(NEW_USER, NEW_PROJECT)

    add_own_module(made)
    assert "migrations/versions/app" in database.app("db", "revision", "-m", "Invoices")
    database.app("db", "upgrade")
    database.sql(NEW_INVOICE)
    made.commit("Invoices")

    told = made.omnistack("remove", "projects", "--dry-run").out
    downgrade = next(line.split() for line in told.splitlines() if "app db downgrade" in line)
    assert downgrade == ["uv", "run", "app", "db", "downgrade", "projects@base"]
    database.app(*downgrade[3:])
    assert made.omnistack("remove", "projects", "--yes").status == 0
    made.commit("Without projects")
    assert "agree" in database.app("db", "check")
    assert "Nothing to do" in database.app("db", "upgrade")
    assert database.sql("SELECT email FROM users", "SELECT cents FROM invoices") == ["me@example.com", "990"]

    assert made.omnistack("add", "projects").status == 0
    made.commit("With projects")
    assert "projects_0001" in database.app("db", "upgrade")
    assert "agree" in database.app("db", "check")
    database.sql(NEW_PROJECT)
    assert database.sql("SELECT name FROM projects") == ["Mine"]

    database.app("db", "downgrade", "projects@base")
    database.app("db", "upgrade")
    assert "agree" in database.app("db", "check")
    assert database.sql("SELECT email FROM users", "SELECT cents FROM invoices") == ["me@example.com", "990"]


def test_a_module_added_for_the_first_time_to_a_database_that_has_lived(project: MakeProject, python: Path) -> None:
    made = project(preset="minimal")
    database = Database(made, python, "sqlite+aiosqlite:///./mine.db")
    database.app("db", "upgrade")
    add_own_module(made)
    database.app("db", "revision", "-m", "Invoices")
    database.app("db", "upgrade")
    database.sql(NEW_USER, NEW_INVOICE)
    made.commit("Invoices")
    revisions = {path: content for path, content in made.files().items() if path.startswith("migrations/versions/app/")}

    ran = made.omnistack("add", "projects")
    assert ran.status == 0, ran.text
    assert "uv run app db upgrade" in ran.out
    database.app("db", "upgrade")
    assert "agree" in database.app("db", "check")
    database.sql(NEW_PROJECT)
    assert database.sql("SELECT email FROM users", "SELECT cents FROM invoices") == ["me@example.com", "990"]
    assert revisions.items() <= made.files().items()
    # A new database gets all of it, too.
    (made.root / "mine.db").unlink()
    database.app("db", "upgrade")
    assert "agree" in database.app("db", "check")
