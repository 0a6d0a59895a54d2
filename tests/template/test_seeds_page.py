"""The page on seeds: the module of the page on own modules, extended as the page says, fills a database."""

import sqlite3
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

from tests.template.test_own_module_page import BLOCK, ROOT, named_before


@pytest.mark.slow
def test_every_step_works_twice(tmp_path: Path) -> None:
    folder, database = tmp_path / "project", tmp_path / "database.db"
    write(Renderer(ROOT).render({"preset": "minimal"}), folder)
    variables = environment(
        f"sqlite+aiosqlite:///{database}", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode"
    )
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    site.run("mkdir", "-p", "app/invoices", "tests/invoices")
    for name in ("own-module.md", "seeds.md"):
        page = (folder / "docs" / name).read_text(encoding="utf-8")
        for step in BLOCK.finditer(page):
            if step["kind"] == "python":
                (folder / named_before(step, page)).write_text(step["text"], encoding="utf-8")
        for package in ("app", "tests"):
            (folder / package / "invoices" / "__init__.py").touch()
        if name == "own-module.md":
            site.run("bash", "-euc", "uv run app db upgrade && uv run app db revision -m invoices")
    for _ in range(2):
        site.run("uv", "run", "app", "db", "upgrade")
        site.run("uv", "run", "app", "seed")

    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT count(*) FROM invoices").fetchone() == (50,)
        assert connection.execute("SELECT email FROM users").fetchall() == [("demo@example.com",)]
    site.run("uv", "run", "ruff", "check", ".")
    site.run("uv", "run", "ruff", "format", "--check", ".")
    site.run("uv", "run", "mypy", "app/invoices", "tests/invoices")
    site.run("env", "TEST_DATABASE_URL=sqlite+aiosqlite://", "uv", "run", "pytest", "-q", "tests/invoices")
