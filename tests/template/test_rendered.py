"""Whatever is answered, what is rendered is formatted, lints and parses."""

import subprocess
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values
from omnistack.inspect.matrix import Row, make_rows
from omnistack.suites.cell import write
from omnistack.template.catalog import Answer
from omnistack.template.render import Renderer
from omnistack.template.source import Template

ROOT = Path(__file__).resolve().parents[2]

HOSTILE = {
    "quotes": """He said "it's" fine""",
    "backslash": r"C:\new\table",
    "jinja": "{{ 7 * 7 }} {% raw %}",
    "dollar": "$HOME ${PATH} %(x)s %s",
    "unicode": "Schön & grün — 東京 🚀",
    "markup": "<b>#!/bin/sh</b> <!-- --> */",
}


@cache
def rows() -> dict[str, Row]:
    template = Template(source=str(ROOT), root=ROOT)
    return {row.name: row for row in make_rows(template, strength=2, seed=0)}


@cache
def renderer() -> Renderer:
    return Renderer(ROOT)


def lint(answers: Mapping[str, Answer], folder: Path) -> None:
    write(renderer().render(answers), folder)
    for command in (["check", "--no-cache"], ["format", "--check", "--no-cache"]):
        done = subprocess.run(["ruff", *command, "."], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", rows())
def test_every_pair_of_answers_passes_ruff(name: str, tmp_path: Path) -> None:
    lint(rows()[name].given, tmp_path)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_text_breaks_nothing(kind: str, tmp_path: Path) -> None:
    text = HOSTILE[kind]
    answers: dict[str, Answer] = {
        "project_name": text,
        "project_slug": "hostile",
        "project_description": text,
        "author_name": text,
    }
    lint(answers, tmp_path)
    project = tomllib.loads((tmp_path / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["description"] == text
    assert project["authors"][0]["name"] == text
    for file in [*tmp_path.rglob("*.yml"), *tmp_path.rglob("*.yaml")]:
        yaml.safe_load(file.read_text(encoding="utf-8"))
    assert dotenv_values(tmp_path / ".env.example", interpolate=False)["PROJECT_NAME"] == text
