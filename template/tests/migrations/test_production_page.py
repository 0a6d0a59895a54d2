"""The examples and commands of docs/migrations-in-production.md."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from app.core.db.models import metadata
from app.migrate import preflight, production
from app.migrate.differences import differences
from tests.cli.test_commands import app, refused
from tests.databases import apart
from tests.migrations.files import write_file
from tests.pages import EXAMPLE, FOLDER, shell_commands

PAGE = "migrations-in-production.md"


def run(command: str) -> Result:
    """Run a command line of the page, with `> FILE`, and agree if it asks."""
    line, _, target = command.partition(" > ")
    result = app(*shlex.split(line, comments=True)[1:], answer="y\n")
    assert result.exit_code == 0, f"{command}: {result.output}"
    if target:
        Path(target).write_text(result.stdout)
    return result


def test_the_commands_work(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)
    for command in shell_commands(PAGE):
        if not (url.startswith("sqlite") and "db log" in command):
            run(command)


def test_a_schema_that_the_last_release_cannot_use_is_found(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    app("db", "upgrade")
    released = json.loads(app("db", "schema").stdout)
    released["users"]["nickname"] = {"type": "TEXT", "nullable": True}
    del released["users"]["role"]
    file = tmp_path / "released.json"
    file.write_text(json.dumps(released))
    message = refused(app("db", "check", "--against", str(file)))
    assert "users.nickname, which no longer exists" in message
    assert "inserts no users.role, which is NOT NULL" in message
    file.write_text("{")
    assert "not the output of `app db schema`" in refused(app("db", "check", "--against", str(file)))


def test_a_retired_column_is_left_alone(url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = (it for it in EXAMPLE.findall((FOLDER / PAGE).read_text(encoding="utf-8")) if "retired" in it)
    monkeypatch.setenv("DATABASE_URL", url)
    names: dict[str, Any] = {"__name__": "page"}
    exec(example, names)  # noqa: S102 - this project's documentation
    table = names["Ticket"].__table__
    created = 'sa.Column("id", sa.Uuid(), primary_key=True), sa.Column("old_note", sa.String(9))'
    write_file(folder, "aaa", None, f'op.create_table("{table.name}", {created})')
    try:
        assert app("db", "upgrade").exit_code == 0
        results: list[list[str]] = []
        apart(lambda: results.append(differences(url).lines))
        assert not [line for line in results[0] if "old_note" in line]
        table.info.clear()
        apart(lambda: results.append(differences(url).lines))
        assert [line for line in results[1] if "old_note" in line]
    finally:
        metadata.remove(table)


def test_every_check_is_on_the_page() -> None:
    source = Path(preflight.__file__).read_text() + Path(preflight.__file__).with_name("production.py").read_text()
    checks = set(re.findall(r'^        "([a-z-]+)": _|Doubt\(\s*"([a-z-]+)"', source, re.MULTILINE))
    named = {first or second for first, second in checks} | {production.MIXED_REVISION}
    assert set(re.findall(r"^\| `([a-z-]+)` \|", (FOLDER / PAGE).read_text(encoding="utf-8"), re.MULTILINE)) == named
