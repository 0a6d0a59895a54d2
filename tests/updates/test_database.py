"""A module removed from, and added to, a database that has lived: the users' rows are all there afterwards."""

from pathlib import Path

import pytest

from tests.updates.database import NEW_INVOICE, NEW_PROJECT, NEW_USER, Database
from tests.updates.own import add_own_module
from tests.updates.workshop import MakeProject

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("url", ["sqlite+aiosqlite:///./mine.db", ""], ids=["SQLite", "PostgreSQL"])
def test_projects_goes_and_comes_back_after_the_users_own_revisions(
    complete_project: MakeProject, python: Path, url: str
) -> None:
    made = complete_project()
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
    database.app(*downgrade[3:], "--yes")
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

    database.app("db", "downgrade", "projects@base", "--yes")
    database.app("db", "upgrade")
    assert "agree" in database.app("db", "check")
    assert database.sql("SELECT email FROM users", "SELECT cents FROM invoices") == ["me@example.com", "990"]


def test_a_module_added_for_the_first_time_to_a_database_that_has_lived(
    complete_project: MakeProject, python: Path
) -> None:
    made = complete_project(preset="minimal")
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
