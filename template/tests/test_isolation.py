"""No test may reach what `.env` or the shell names: a developer's database, keys of real accounts."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from app.core.config.settings import ModuleSettings, load_settings
from app.core.lifecycle import settings_classes
from app.modules import MODULES

TESTS = Path(__file__).parent
PROGRAM = re.compile(r"(?:^|[;\n])\s*(?:from|import) app\.")
"""A program in a string that imports the application."""
IN_COPIES = {"dev", "pipeline"}
"""Tests that run the application in a copy of the project."""
SET_BY_THE_TESTS = {"PROJECT_NAME", "ENVIRONMENT", "SECRET_KEY", "DATABASE_URL", "PUBLIC_URL"}


def descendants(cls: type[ModuleSettings]) -> Iterator[type[ModuleSettings]]:
    yield cls
    for child in cls.__subclasses__():
        yield from descendants(child)


def violations(file: Path) -> Iterator[str]:
    """Yield the places where a file's processes would read the project's `.env`."""
    source = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)) if "sys.executable" in source else ():
        strings = [child.value for child in ast.walk(node) if isinstance(child, ast.Constant)]
        texts = [string for string in strings if isinstance(string, str)]
        is_program = isinstance(node, ast.Constant | ast.JoinedStr) and PROGRAM.search("".join(texts))
        is_command = isinstance(node, ast.List | ast.Tuple) and "-m app.cli.main" in " ".join(texts)
        if isinstance(node, ast.expr) and (
            is_command or (is_program and not re.search(r"import tests\b", "".join(texts)))
        ):
            yield f"{file.relative_to(TESTS)}:{node.lineno}"


def test_processes_of_the_tests_read_no_env_file() -> None:
    """A program imports `tests` first; a command is `tests.processes.APP`."""
    files = [file for file in TESTS.rglob("*.py") if file.relative_to(TESTS).parts[0] not in IN_COPIES]
    assert [place for file in sorted(files) for place in violations(file)] == []


def test_no_settings_class_reads_a_file() -> None:
    assert [cls for cls in descendants(ModuleSettings) if cls.model_config.get("env_file") is not None] == []


def test_settings_of_the_shell_are_ignored() -> None:
    names = {name for cls in descendants(ModuleSettings) for name in cls.model_fields}
    assert names & os.environ.keys() <= SET_BY_THE_TESTS


def test_an_env_file_in_the_folder_is_ignored(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=ERROR\nDATABASE_URL=postgresql://app:poison@127.0.0.1:1/poison\n")
    code = (
        "import tests\n"
        "from app.migrate.database_settings import database_settings\n"
        "from app.core.config.settings import core_settings\n"
        "print(database_settings().DATABASE_URL, core_settings().LOG_LEVEL)"
    )
    environment = os.environ | {"DATABASE_URL": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["None", "INFO"]


def test_every_settings_class_loads_with_the_settings_of_the_tests() -> None:
    assert set(load_settings(settings_classes(MODULES))) == set(settings_classes(MODULES))
