"""The names of rendered tests are the same in every process: pytest-xdist refuses workers that collect others."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2] / "template" / "tests"
CHANGING = re.compile(r"(.*\.)?(uuid\d|time|now|utc_now|today|random|randbytes|urandom|token_\w+|getpid)")
"""Functions with another result in each process."""


def changing_ids(code: str) -> Iterator[int]:
    """Yield the lines of `parametrize` with a text or a number, which pytest makes a test's name of, that changes."""
    decorators = (
        (each, ast.unparse(each.func))
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for each in node.decorator_list
        if isinstance(each, ast.Call)
    )
    for decorator, name in decorators:
        if not name.endswith("parametrize"):
            continue
        named = any(keyword.arg == "ids" and not _is_fixed(keyword.value) for keyword in decorator.keywords)
        values = decorator.args[1:]
        if any(_changes(value, shown=named) for value in values):
            yield decorator.lineno


def _is_fixed(ids: ast.expr) -> bool:
    if isinstance(ids, ast.List | ast.Tuple):
        return all(isinstance(each, ast.Constant) for each in ids.elts)
    return isinstance(ids, ast.Call) and ast.unparse(ids.func) == "range"


def _changes(value: ast.expr, *, shown: bool) -> bool:
    """Return whether a name shows a changing value. pytest numbers objects such as dictionaries and times."""
    if isinstance(value, ast.List | ast.Tuple):
        return any(_changes(each, shown=shown) for each in value.elts)
    if shown and isinstance(value, ast.Set) and len(value.elts) > 1:
        return True  # Its order depends on the process.
    converted = isinstance(value, ast.Call) and ast.unparse(value.func) in {"str", "int", "float"}
    shown = shown or converted or isinstance(value, ast.BinOp | ast.JoinedStr)
    return shown and any(
        CHANGING.fullmatch(ast.unparse(node.func)) for node in ast.walk(value) if isinstance(node, ast.Call)
    )


@pytest.mark.parametrize(
    ("parameters", "changes"),
    [
        ("'a', [str(uuid4()), 'b']", True),
        ("'a', [int(time.time()) - 60]", True),
        ("'a', [{'exp': time.time()}], ids=str", True),
        ("'a', [{'b', 'c'}], ids=str", True),
        ("'a', [{'b', 'c'}]", False),
        ("'a', [{'exp': time.time()}, utc_now()]", False),
        ("'a', [{'exp': time.time()}], ids=range(1)", False),
        ("'a', [{'exp': time.time()}], ids=['now']", False),
        ("'a', [1, 'b']", False),
    ],
)
def test_the_rule(parameters: str, *, changes: bool) -> None:
    assert bool(list(changing_ids(f"@pytest.mark.parametrize({parameters})\ndef test(): ..."))) is changes


def test_no_name_of_a_test_changes() -> None:
    paths = TESTS.rglob("*.py")
    found = [(str(path.relative_to(TESTS)), line) for path in paths for line in changing_ids(path.read_text("utf-8"))]
    assert found == []
