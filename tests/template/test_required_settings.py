"""What the catalog calls required is what the settings classes require, so that docs/settings.md is right."""

import ast
from collections.abc import Iterator
from pathlib import Path

from omnistack.template.catalog import load_catalog

ROOT = Path(__file__).parents[2]
MARKERS = {"RequiredOutsideLocal", "NEEDED"}
FIELD_ARGUMENTS = {"default", "default_factory"}
EARLY = "app/migrate/"
"""Holds a second class for the database's URL, for commands that need nothing else."""


def required() -> Iterator[str]:
    for path in sorted((ROOT / "template/app").rglob("*.py")):
        if EARLY in path.as_posix():
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(_is_settings(base) for base in node.bases):
                yield from (_name(field) for field in node.body if isinstance(field, ast.AnnAssign) and _needed(field))


def _is_settings(base: ast.expr) -> bool:
    return isinstance(base, ast.Name) and base.id.endswith("Settings")


def _name(field: ast.AnnAssign) -> str:
    assert isinstance(field.target, ast.Name)
    return field.target.id


def _needed(field: ast.AnnAssign) -> bool:
    names = {node.id for node in ast.walk(field.annotation) if isinstance(node, ast.Name)}
    return bool(names & MARKERS) or field.value is None


def test_the_catalog_marks_what_the_classes_require() -> None:
    settings = [setting for piece in load_catalog(ROOT).pieces for setting in piece.settings]
    assert {setting.name for setting in settings if setting.required} == set(required())
