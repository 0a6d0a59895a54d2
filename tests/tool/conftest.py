"""The tool against a small template: this repository's own questions and catalog, and a handful of files."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from omnistack import cli

from tests.conftest import CHECKOUT, commit_all

SMALL_TEMPLATE = {
    ".gitignore.jinja": ".env\n.venv/\n__pycache__/\n",
    ".env.example.jinja": (
        "{% for piece in catalog | sort(attribute='name') if piece.name in chosen %}"
        "{% for setting in piece.settings %}\n# {{ setting.help }}\n"
        "{{ setting.name }}={{ setting.default if 'default' in setting else '' }}\n"
        "{% endfor %}{% endfor %}"
    ),
    "pyproject.toml.jinja": (
        '[project]\nname = "{{ project_slug }}"\nversion = "0"\nrequires-python = ">={{ python_version }}"\n'
        "dependencies = []\n"
    ),
    "README.md.jinja": "# {{ project_name }}\n",
    "app/modules.py.jinja": (
        "MODULES = (\n{% for piece in catalog | selectattr('name', 'in', chosen) | selectattr('module') %}"
        '    "{{ piece.module }}",\n{% endfor %})\n'
    ),
    "app/main.py": '"""The application."""\n',
    "app/projects/service.py": '"""Projects."""\n',
    "app/auth/providers/custom.py": '"""Any issuer."""\n',
    "app/auth/providers/clerk.py": '"""Clerk."""\n',
    "{{ _copier_conf.answers_file }}.jinja": "{{ _copier_answers | to_nice_yaml }}",
}


@dataclass(frozen=True)
class Result:
    """What a command did."""

    status: int
    out: str
    err: str


type Run = Callable[..., Result]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository with the small template, to change at will."""
    root = tmp_path / "small-template"
    (root / "extensions").mkdir(parents=True)
    shutil.copytree(CHECKOUT / "extensions/catalog", root / "extensions/catalog")
    shutil.copy2(CHECKOUT / "copier.yml", root)
    for name, text in SMALL_TEMPLATE.items():
        write(root / "template" / name, text)
    commit_all(root, "A small template", first=True)
    return root


@pytest.fixture
def run(small: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the program against the small template, as from a script: without a terminal."""
    monkeypatch.setenv("OMNISTACK_TEMPLATE", str(small))
    monkeypatch.setenv("COLUMNS", "200")

    def run_command(*arguments: str | Path) -> Result:
        capfd.readouterr()
        status = cli.run([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Result(status, captured.out, captured.err)

    return run_command


def write(file: Path, text: str) -> None:
    """Write a file, with its folders."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def files_in(folder: Path) -> set[str]:
    """List all files in a folder, git's own left out."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(folder).parts
    }
