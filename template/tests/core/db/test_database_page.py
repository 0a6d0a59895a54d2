"""The examples of docs/database.md: columns, and a dump of the database."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

from sqlalchemy import text

from app.core.db.models import metadata
from app.dev.servers.postgres import private_postgres
from app.migrate.database_state import on_database
from tests.pages import FOLDER, run_examples, shell_commands

SECTIONS = re.compile(r"^## (?:Enum|Money) columns\n.*?(?=^## )", re.DOTALL | re.MULTILINE)


def test_the_columns_have_the_documented_types(tmp_path: Path) -> None:
    text = (FOLDER / "database.md").read_text(encoding="utf-8")
    sections = tmp_path / "sections.md"
    sections.write_text("".join(SECTIONS.findall(text)), encoding="utf-8")
    names: dict[str, Any] = {"__name__": "page"}

    assert run_examples(str(sections), names) == 2

    letter, payment = (names[model].__table__ for model in ("Letter", "Payment"))
    try:
        assert [str(letter.c.status.type), str(payment.c.total_minor.type)] == ["VARCHAR(40)", "BIGINT"]
        assert str(payment.c.currency.type) == "VARCHAR(3)"
    finally:
        metadata.remove(letter)
        metadata.remove(payment)


def test_the_commands_dump_and_restore_the_database(tmp_path: Path) -> None:
    commands = [command for command in shell_commands("database.md") if command.startswith("pg_")]
    assert [command.split()[0] for command in commands] == ["pg_dump", "pg_restore"]
    with private_postgres(tmp_path / "postgres", durable=False) as server:
        url = server.url()
        assert url.startswith("postgresql+asyncpg://")
        programs = Path(server.psql.split()[0]).parent
        variables = os.environ | {"DATABASE_URL": url, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
        on_database(url, lambda connection: connection.execute(text("CREATE TABLE kept AS SELECT 1 AS number")))
        subprocess.run(["bash", "-c", commands[0]], check=True, cwd=tmp_path, env=variables)  # noqa: S607
        on_database(url, lambda connection: connection.execute(text("UPDATE kept SET number = 2")))
        subprocess.run(["bash", "-c", commands[1]], check=True, cwd=tmp_path, env=variables)  # noqa: S607
        found = on_database(url, lambda connection: connection.scalar(text("SELECT number FROM kept")))
    assert found == 1
