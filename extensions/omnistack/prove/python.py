"""The facts of a Python file, read from its syntax tree once for all answer sets.

A file that varies is read with all its lines at once. Each fact has the numbers of its lines, from which `File.at`
computes its condition. `checks/splices.py` shows that a file may be read this way.
"""

import ast
import re
import sys
from functools import lru_cache

from omnistack.prove.facts import PROVIDER_SPECS, Call, Class, Decorator, Facts, Function, Import, Lines, Reference
from omnistack.prove.syntax import assigned, bound_by, called_expression, dotted, dotted_names, read_decorator, strings

FIRST_PARTY = ("app", "tests", "migrations", "load")
MISSING_MODULE = ("ImportError", "ModuleNotFoundError")


@lru_cache(maxsize=4096)
def read_python(text: str, package: str) -> Facts:
    """Read a file; `package` is the dotted name of its package, for relative imports."""
    facts = Facts()
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        facts.error = (error.lineno or 1, error.msg)
        return facts
    _Reader(facts, package).read(tree)
    return facts


class _Reader(ast.NodeVisitor):
    def __init__(self, facts: Facts, package: str) -> None:
        self.facts = facts
        self._package = package
        self._lines: list[int] = []
        self._owner = ""
        self._depth = 0
        self._guarded = False
        self._around: tuple[Decorator, ...] = ()
        self._class = ""

    def read(self, tree: ast.Module) -> None:
        for statement in tree.body:
            names = list(bound_by(statement))
            self._owner = names[0] if names else ""
            self.visit(statement)

    def visit(self, node: ast.AST) -> None:
        line = getattr(node, "lineno", None)
        fresh = isinstance(node, ast.stmt | ast.expr | ast.alias) and line is not None and line not in self._lines
        if fresh and line is not None:
            self._lines.append(line)
        if isinstance(node, ast.stmt):
            for name in bound_by(node):
                self._bind(name)
        super().visit(node)
        if fresh:
            self._lines.pop()

    def _bind(self, name: str) -> None:
        if self._depth:
            self.facts.local.add(name)
        else:
            self.facts.names.setdefault(name, []).append(tuple(self._lines))

    # --- statements ---------------------------------------------------------------------------------------------

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            bound = alias.asname or alias.name.split(".")[0]
            self._import(alias.name, None, bound, alias.lineno)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        module = node.module or ""
        if node.level:
            parts = self._package.split(".")
            base = parts[: len(parts) - node.level + 1]
            module = ".".join([*base, *([module] if module else [])])
        for alias in node.names:
            if alias.name == "*":
                self.facts.stars.append((module, tuple(self._lines)))
            else:
                self._import(module, alias.name, alias.asname or alias.name, alias.lineno)

    def _import(self, module: str, name: str | None, bound: str, line: int) -> None:
        lines = tuple(dict.fromkeys((*self._lines, line)))
        found = Import(module, name, bound, lines, self._depth == 0, self._guarded)
        self.facts.imports.append(found)
        top = module.split(".", maxsplit=1)[0]
        if top not in FIRST_PARTY and top not in sys.stdlib_module_names:
            self.facts.foreign.append(found)

    def visit_Try(self, node: ast.Try) -> None:
        caught = " ".join(ast.unparse(handler.type) for handler in node.handlers if handler.type is not None)
        before, self._guarded = self._guarded, any(name in caught for name in MISSING_MODULE)
        for statement in node.body:
            self.visit(statement)
        self._guarded = before
        for part in (*node.handlers, *node.orelse, *node.finalbody):
            self.visit(part)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        positional = [*node.args.posonlyargs, *node.args.args]
        named = [pair[0] for pair in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True) if pair[1] is None]
        required = positional[: len(positional) - len(node.args.defaults)] + named
        decorators = tuple(read_decorator(decorator) for decorator in node.decorator_list)
        self.facts.functions.append(
            Function(
                node.name,
                tuple(argument.arg for argument in required),
                (*self._around, *decorators),
                self._depth == 0,
                self._class,
                tuple(self._lines),
            )
        )
        self._inside(node)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the visitor's interface

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if self._depth == 0:
            fields: list[tuple[str, Lines]] = []
            tablename = None
            for statement in node.body:
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    fields.append((statement.target.id, (*self._lines, statement.lineno)))
                if isinstance(statement, ast.Assign) and assigned(statement) == ["__tablename__"]:
                    tablename = next(iter(strings(statement.value)), None)
            self.facts.classes.append(
                Class(
                    node.name,
                    tuple(filter(None, (dotted(called_expression(base)) for base in node.bases))),
                    tuple(f"{pair.arg}={ast.unparse(pair.value)}" for pair in node.keywords),
                    tuple(fields),
                    tablename,
                    tuple(self._lines),
                )
            )
        before = self._around, self._class
        self._around = (*self._around, *(read_decorator(decorator) for decorator in node.decorator_list))
        self._class = node.name
        self._inside(node)
        self._around, self._class = before

    def _inside(self, node: ast.AST) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.facts.local.add(node.target.id)
        self.generic_visit(node)

    def visit_TypeVar(self, node: ast.TypeVar) -> None:
        self.facts.local.add(node.name)
        self.generic_visit(node)

    def visit_ParamSpec(self, node: ast.ParamSpec) -> None:
        self.facts.local.add(node.name)

    def visit_arg(self, node: ast.arg) -> None:
        self.facts.local.add(node.arg)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self.facts.local.add(node.name)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self.facts.local.add(node.name)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self.facts.local.add(node.rest)
        self.generic_visit(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        self._constant(assigned(node), node.value)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._constant(assigned(node), node.value)
        self.generic_visit(node)

    def _constant(self, names: list[str], value: ast.expr) -> None:
        if self._depth == 0:
            try:
                constant = ast.literal_eval(value)
            except (ValueError, TypeError):
                return
            self.facts.values.update(dict.fromkeys(names, (constant, tuple(self._lines))))

    # --- expressions --------------------------------------------------------------------------------------------

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self.facts.local.update(part.id for part in ast.walk(node.target) if isinstance(part, ast.Name))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.facts.words.update(re.findall(r"\w+", node.value))
            if node.value.startswith("app."):
                self.facts.modules.append((node.value, tuple(self._lines)))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.facts.references.append(Reference(node.id, None, self._owner, tuple(self._lines)))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        base = dotted(node.value)
        if not base and node.attr.isupper():
            # Of something computed, as in `runtime.resource(Kind).NAME`: only what settings are read by.
            base = f"().{node.value.attr}" if isinstance(node.value, ast.Attribute) else "()"
        if base:
            self.facts.references.append(Reference(base, node.attr, self._owner, tuple(self._lines)))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        function = dotted(node.func) or (node.func.attr if isinstance(node.func, ast.Attribute) else "")
        self.facts.called.add(function.rpartition(".")[2])
        if function.endswith(PROVIDER_SPECS):
            self.facts.called.add("ProviderSpec")
        self.facts.calls.append(
            Call(
                function,
                tuple(tuple(dotted_names(argument)) for argument in node.args),
                tuple((pair.arg or "**", tuple(dotted_names(pair.value))) for pair in node.keywords),
                tuple(text for argument in node.args for text in strings(argument)),
                tuple((pair.arg or "**", tuple(strings(pair.value))) for pair in node.keywords),
                self._owner,
                tuple(self._lines),
            )
        )
        self.generic_visit(node)
