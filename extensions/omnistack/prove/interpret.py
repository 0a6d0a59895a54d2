"""Jinja, run once for all answer sets.

Copier's own Jinja environment parses the templates, and their syntax trees are run over values that vary (`values.py`):
an `if` whose condition varies runs both branches, each under its condition; a loop runs once for every possible
element. The output is the text with the condition of each of its parts. A construct that the interpreter does not
support exactly is refused with an error that names the line.
"""

from collections.abc import Callable, Mapping

from jinja2 import nodes
from jinja2.environment import Environment
from jinja2.exceptions import TemplateError

from omnistack.prove.expressions import Expressions, Loop, Macro, Namespace, Scope
from omnistack.prove.space import Cond, Space
from omnistack.prove.values import FailureError, Part, RefusedError, Text, Value

type Items = list[tuple[Cond, Value]]


class Interpreter(Expressions):
    """An interpreter of templates over one space. `load` returns the source of an imported template."""

    parsed: dict[tuple[int, str], nodes.Template] = {}  # noqa: RUF012 - syntax trees are shared by all runs
    counting: dict[int, bool] = {}  # noqa: RUF012 - as above

    def __init__(self, space: Space, environment: Environment, load: Callable[[str], str]) -> None:
        super().__init__(space, environment)
        self._load = load
        self._statements: dict[type[nodes.Node], Callable[..., list[Part]]] = {
            nodes.Output: self._output,
            nodes.If: self._if,
            nodes.For: self._for,
            nodes.Assign: self._set,
            nodes.AssignBlock: self._set_block,
            nodes.Macro: self._macro,
            nodes.FromImport: self._from_import,
            nodes.Import: self._import,
        }

    def render(self, source: str, names: Mapping[str, Value], cond: Cond, where: str) -> Text:
        """Run a template under a condition."""
        try:
            scope = Scope(cond, {}, Scope(self.algebra.everything, dict(names)))
            return Text(tuple(self._body(self._parse(source).body, scope, cond)))
        except RefusedError as error:
            raise RefusedError(f"{where}: {error.message}", error.hint) from error
        except FailureError as error:
            raise FailureError(f"{where}: {error.message}", error.cond) from error
        except (TemplateError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise FailureError(f"{where}: {error}", cond) from error

    def _parse(self, source: str) -> nodes.Template:
        key = (id(self.environment), source)
        if key not in self.parsed:
            self.parsed[key] = self.environment.parse(source)
        return self.parsed[key]

    def _body(self, body: list[nodes.Node], scope: Scope, cond: Cond) -> list[Part]:
        found: list[Part] = []
        for node in body:
            handler = self._statements.get(type(node))
            try:
                found.extend(handler(node, scope, cond) if handler else self._unknown(node))
            except (RefusedError, FailureError) as error:
                if not error.message.startswith("line "):
                    error.message = f"line {node.lineno}: {error.message}"
                raise
        return found

    def _unknown(self, node: nodes.Node) -> list[Part]:
        raise RefusedError(f"{type(node).__name__} is not supported", "write it as a loop")

    def _output(self, node: nodes.Output, scope: Scope, cond: Cond) -> list[Part]:
        found: list[Part] = []
        for child in node.nodes:
            if isinstance(child, nodes.TemplateData):
                found.append(Part(cond, child.data, child.lineno))
            else:
                found.extend(self.algebra.parts(self.value(child, scope, cond), cond, child.lineno))
        return found

    def _if(self, node: nodes.If, scope: Scope, cond: Cond) -> list[Part]:
        found: list[Part] = []
        for branch in (node, *node.elif_):
            here = self.truth(branch.test, scope, cond)
            if here != self.algebra.nothing:
                found.extend(self._body(branch.body, scope, here))
            cond = cond & ~here
            if cond == self.algebra.nothing:
                return found
        return found + self._body(node.else_, scope, cond)

    def _for(self, node: nodes.For, scope: Scope, cond: Cond) -> list[Part]:
        if node.recursive:
            raise RefusedError("a recursive loop is not supported", "write nested loops")
        items = self.algebra.items(self.value(node.iter, scope, cond), cond)
        if self._asks_for_loop(node):
            return self._counting_loop(node, scope, cond, items)
        # As in Jinja: an element is tested right before its body runs, after the bodies of the earlier elements.
        found: list[Part] = []
        met: list[Cond] = []
        for inner, item in items:
            here = self._kept(node, scope, inner, item)
            if here != self.algebra.nothing:
                met.append(here)
                found.extend(self._body(node.body, self._bound(node, scope, here, item), here))
        return found + self._otherwise(node, scope, cond, met)

    def _asks_for_loop(self, node: nodes.For) -> bool:
        # By identity: comparing nodes compares whole subtrees. Parsed templates are kept, so identities are stable.
        if id(node) not in self.counting:
            names = (name.name for part in node.body for name in part.find_all(nodes.Name))
            self.counting[id(node)] = "loop" in names
        return self.counting[id(node)]

    def _counting_loop(self, node: nodes.For, scope: Scope, cond: Cond, items: Items) -> list[Part]:
        if node.test is not None and any(
            isinstance(scope.find(name.name), Namespace) for name in node.test.find_all(nodes.Name)
        ):
            raise RefusedError(
                "a loop's filter reads a variable that its body may change, and its body uses `loop`", "split it"
            )
        kept = [(inner, item) for known, item in items for inner in [self._kept(node, scope, known, item)]]
        kept = [(inner, item) for inner, item in kept if inner != self.algebra.nothing]
        conditions = [inner for inner, _ in kept]
        found: list[Part] = []
        for place, (inner, item) in enumerate(kept):
            bound = self._bound(node, scope, inner, item)
            bound.names["loop"] = self._loop(conditions, place)
            found.extend(self._body(node.body, bound, inner))
        return found + self._otherwise(node, scope, cond, conditions)

    def _loop(self, conditions: list[Cond], place: int) -> Loop:
        here, before, after = conditions[place], conditions[:place], conditions[place + 1 :]
        union, without = self.algebra.space.union, self.algebra.space.without

        def counted(name: str) -> Value:
            counts = {"index": (before, 1), "index0": (before, 0), "length": ([*before, *after], 1)}
            if name not in counts:
                raise RefusedError(f"loop.{name} is not supported", "use loop.first, loop.last or loop.index")
            return self.filters.count(counts[name][0], here, counts[name][1])

        return Loop(self.algebra.flag(without(union(before))), self.algebra.flag(without(union(after))), counted)

    def _kept(self, node: nodes.For, scope: Scope, cond: Cond, item: Value) -> Cond:
        return cond if node.test is None else self.truth(node.test, self._bound(node, scope, cond, item), cond)

    def _bound(self, node: nodes.For, scope: Scope, cond: Cond, item: Value) -> Scope:
        inner = Scope(cond, {}, scope)
        self._assign(node.target, item, inner, cond)
        return inner

    def _otherwise(self, node: nodes.For, scope: Scope, cond: Cond, met: list[Cond]) -> list[Part]:
        rest = cond & ~self.algebra.space.union(met)
        if not node.else_ or rest == self.algebra.nothing:
            return []
        return self._body(node.else_, Scope(rest, {}, scope), rest)

    def _set(self, node: nodes.Assign, scope: Scope, cond: Cond) -> list[Part]:
        self._assign(node.target, self.value(node.node, scope, cond), scope, cond)
        return []

    def _set_block(self, node: nodes.AssignBlock, scope: Scope, cond: Cond) -> list[Part]:
        if node.filter is not None:
            raise RefusedError("a filtered block assignment is not supported", "assign first, then filter")
        self._assign(node.target, Text(tuple(self._body(node.body, Scope(cond, {}, scope), cond))), scope, cond)
        return []

    def _assign(self, target: nodes.Node, value: Value, scope: Scope, cond: Cond) -> None:
        if isinstance(target, nodes.Name):
            whole = cond == scope.cond
            scope.names[target.name] = value if whole else self.algebra.merge(cond, value, scope.find(target.name))
        elif isinstance(target, nodes.NSRef):
            namespace = scope.find(target.name)
            if not isinstance(namespace, Namespace):
                raise FailureError(f"{target.name} is not a namespace", cond)
            old = namespace.values.get(target.attr)
            namespace.values[target.attr] = self.algebra.merge(cond, value, old)
        elif isinstance(target, nodes.Tuple) and isinstance(value, list | tuple):
            for each, part in zip(target.items, value, strict=True):
                self._assign(each, part, scope, cond)
        else:
            raise RefusedError("this assignment is not supported", "assign to one name")

    def _macro(self, node: nodes.Macro, scope: Scope, cond: Cond) -> list[Part]:
        del cond
        scope.names[node.name] = Macro(node, scope)
        return []

    def _from_import(self, node: nodes.FromImport, scope: Scope, cond: Cond) -> list[Part]:
        module = self._module(node, scope, cond)
        for imported in node.names:
            old, new = (imported, imported) if isinstance(imported, str) else imported
            scope.names[new] = module.find(old)
        return []

    def _import(self, node: nodes.Import, scope: Scope, cond: Cond) -> list[Part]:
        scope.names[node.target] = self._module(node, scope, cond)
        return []

    def _module(self, node: nodes.FromImport | nodes.Import, scope: Scope, cond: Cond) -> Scope:
        names = self.algebra.options(self.value(node.template, scope, cond), cond)
        if len(names) != 1 or not isinstance(names[0][1], str):
            raise RefusedError("the name of an imported template varies", "import it in a loop, or as a constant")
        module = Scope(cond, {}, scope if node.with_context else None)
        self._body(self._parse(self._load(names[0][1])).body, module, cond)
        return module
