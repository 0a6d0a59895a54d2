"""The steps of docs/rate-limits.md that remove the rate limits are complete."""

import ast
import re
from pathlib import Path
from textwrap import dedent
from typing import Final

APP: Final = Path(__file__).resolve().parents[3] / "app"
PAGE: Final = (APP.parent / "docs" / "rate-limits.md").read_text(encoding="utf-8")
FACADE: Final = "app.core.http.rate_limit"
SOURCES: Final = {
    path.relative_to(APP.parent).as_posix(): path.read_text(encoding="utf-8") for path in APP.rglob("*.py")
}


def test_the_replacement_defines_all_names_that_the_application_imports() -> None:
    block = re.search(r"^   ```python\n(.*?)^   ```", PAGE, re.DOTALL | re.MULTILINE)
    assert block is not None
    defined = {
        node.name for node in ast.parse(dedent(block[1])).body if isinstance(node, ast.ClassDef | ast.AsyncFunctionDef)
    }
    imported = {
        alias.name
        for source in SOURCES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == FACADE
        for alias in node.names
    }

    assert imported <= defined


def test_one_file_calls_the_limiter() -> None:
    callers = [path for path, source in SOURCES.items() if "limiter.hit(" in source]

    assert callers == ["app/core/http/rate_limit.py"]


def test_the_page_names_the_files_that_mention_the_limiter() -> None:
    inside = ("app/core/rate_limiting/", "app/core/http/rate_limit.py")
    mentioning = {
        path
        for path, source in SOURCES.items()
        if re.search(r"\b(?:Memory)?Limiter\b|\"limiter\"|\blimiter[:=]", source) and not path.startswith(inside)
    }
    by_the_rule = {path for path in mentioning if path.endswith(("/module.py", "/limiter.py"))}

    assert [path for path in mentioning - by_the_rule if f"`{path}`" not in PAGE] == []
