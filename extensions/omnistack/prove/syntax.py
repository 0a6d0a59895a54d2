"""Helpers for reading a syntax tree."""

import ast
from collections.abc import Iterator

from omnistack.prove.facts import Decorator


def dotted(node: ast.AST) -> str:
    """Return a chain of attributes of a name as `a.b.c`; empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        base = dotted(node.value)
        return f"{base}.{node.attr}" if base else ""
    return ""


def read_decorator(node: ast.expr) -> Decorator:
    """Read a decorator."""
    if not isinstance(node, ast.Call):
        return Decorator(dotted(node), (), (), (), None, automatic=False)
    names = [strings(pair.value) for pair in node.keywords if pair.arg == "name"]
    return Decorator(
        dotted(node.func),
        tuple(strings(node.args[0])) if node.args else (),
        tuple(text for argument in node.args for text in strings(argument)),
        tuple(pair.arg for pair in node.keywords if pair.arg is not None),
        names[0][0] if names and names[0] else None,
        automatic=any(pair.arg == "autouse" for pair in node.keywords),
    )


def called_expression(node: ast.expr) -> ast.expr:
    """Return the callee of a call, the value of a subscript, or the bare expression itself."""
    if isinstance(node, ast.Call):
        return node.func
    return node.value if isinstance(node, ast.Subscript) else node


def dotted_names(node: ast.AST) -> Iterator[str]:
    """Return the dotted names in an expression."""
    name = dotted(node)
    if name:
        yield name
        return
    for child in ast.iter_child_nodes(node):
        yield from dotted_names(child)


def strings(node: ast.AST) -> list[str]:
    """Return the strings in an expression."""
    return [part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)]


def assigned(node: ast.Assign | ast.AnnAssign) -> list[str]:
    """Return the names that an assignment binds."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def bound_by(statement: ast.stmt) -> Iterator[str]:
    """Return the names that a statement itself binds, its blocks apart."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.split(".")[0] for alias in statement.names if alias.name != "*")
    elif isinstance(statement, ast.TypeAlias):
        yield statement.name.id
    else:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor):
            targets = [statement.target]
        elif isinstance(statement, ast.With | ast.AsyncWith):
            targets = [item.optional_vars for item in statement.items if item.optional_vars is not None]
        for target in targets:
            yield from (
                part.id for part in ast.walk(target) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            )
