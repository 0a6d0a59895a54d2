"""No test may reach what `.env` or the shell names: a developer's database, keys of real accounts."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from app.core.config.settings import ModuleSettings, load_settings
from app.core.lifecycle import settings_classes
from app.modules import MODULES

SET_BY_THE_TESTS = {"PROJECT_NAME", "ENVIRONMENT", "SECRET_KEY", "DATABASE_URL", "PUBLIC_URL"}


def descendants(cls: type[ModuleSettings]) -> Iterator[type[ModuleSettings]]:
    yield cls
    for child in cls.__subclasses__():
        yield from descendants(child)


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


def test_a_program_of_a_test_does_not_read_an_env_file() -> None:
    programs = [
        (path, node.value)
        for path in Path(__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "\nfrom app." in node.value
    ]
    assert programs
    reads_settings = ("create_runtime(", "create_app(", "load_settings(", "Settings()")
    for path, program in programs:
        if any(text in program for text in reads_settings):
            assert "import tests\n" in program, f"{path}: a program that reads settings begins with `import tests`"


def test_every_settings_class_loads_with_the_settings_of_the_tests() -> None:
    assert set(load_settings(settings_classes(MODULES))) == set(settings_classes(MODULES))
