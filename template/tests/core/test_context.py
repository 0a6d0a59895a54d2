"""The caller is passed as an argument and not looked up."""

import ast
from pathlib import Path

import app

ROOT = Path(app.__file__ or "").parent


def test_no_module_reads_the_context_variable_of_the_request() -> None:
    readers = [
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if path.relative_to(ROOT).parts[0] != "core"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and any(name.name == "current_request" for name in node.names)
    ]

    assert readers == []
