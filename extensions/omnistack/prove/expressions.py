"""Jinja's expressions over values that vary."""

import operator
from collections.abc import Callable
from dataclasses import dataclass, field

from jinja2 import nodes
from jinja2.environment import Environment
from jinja2.runtime import Undefined

from omnistack.prove.filters import Filters
from omnistack.prove.space import Cond, Space
from omnistack.prove.values import Algebra, Choice, FailureError, Missing, Part, RefusedError, Seq, Text, Value

ELEMENTS = 1024
"""Maximum length of a list to which a template adds elements: a loop that adds them again and again is refused."""
BINARY: dict[type[nodes.Node], Callable[[Value, Value], Value]] = {
    nodes.Add: operator.add,
    nodes.Sub: operator.sub,
    nodes.Mul: operator.mul,
    nodes.Div: operator.truediv,
    nodes.FloorDiv: operator.floordiv,
    nodes.Mod: operator.mod,
    nodes.Pow: operator.pow,
}
COMPARE: dict[str, Callable[[Value, Value], Value]] = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "lteq": operator.le,
    "gt": operator.gt,
    "gteq": operator.ge,
}


class Namespace:
    """Jinja's `namespace()`: the only outer value that a loop can change."""

    def __init__(self, values: dict[str, Value]) -> None:
        self.values = values


@dataclass
class Scope:
    """Names and their values under a condition."""

    cond: Cond
    names: dict[str, Value] = field(default_factory=dict)
    outer: "Scope | None" = None

    def find(self, name: str) -> Value:
        """Look up a name in this scope and the enclosing ones."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names:
                return scope.names[name]
            scope = scope.outer
        return Missing(name)


@dataclass(frozen=True)
class Macro:
    """A macro and where it was defined."""

    node: nodes.Macro
    scope: Scope


@dataclass(frozen=True)
class Loop:
    """The `loop` variable of a loop; counters are computed on access."""

    first: Value
    last: Value
    counted: Callable[[str], Value]


class Expressions:
    """An evaluator of expressions over one space."""

    def __init__(self, space: Space, environment: Environment) -> None:
        self.algebra = Algebra(space)
        self.environment = environment
        self.filters = Filters(self.algebra, environment)
        self._handlers: dict[type[nodes.Node], Callable[..., Value]] = {
            nodes.Const: lambda node, *_: node.value,
            nodes.TemplateData: lambda node, *_: node.data,
            nodes.Name: lambda node, scope, _: scope.find(node.name),
            nodes.List: self._list,
            nodes.Tuple: self._list,
            nodes.Dict: self._dict,
            nodes.Getattr: self._getattr,
            nodes.Getitem: self._getitem,
            nodes.Call: self._call,
            nodes.Filter: self._filter,
            nodes.Test: self._test,
            nodes.Compare: self._compare,
            nodes.And: self._and,
            nodes.Or: self._or,
            nodes.Not: lambda node, scope, cond: self.algebra.flag(
                self.algebra.space.without(self.truth(node.node, scope, cond))
            ),
            nodes.CondExpr: self._either,
            nodes.Concat: self._concat,
            nodes.Neg: lambda node, scope, cond: self.algebra.lift(
                cond, operator.neg, self.value(node.node, scope, cond)
            ),
        }

    def value(self, node: nodes.Node, scope: Scope, cond: Cond) -> Value:
        """Evaluate an expression under a condition."""
        outer, self.algebra.site = self.algebra.site, node
        result = self._evaluate(node, scope, cond)
        self.algebra.site = outer
        return result

    def _evaluate(self, node: nodes.Node, scope: Scope, cond: Cond) -> Value:
        binary = BINARY.get(type(node))
        if binary is not None and isinstance(node, nodes.BinExpr):
            return self._binary(binary, self.value(node.left, scope, cond), self.value(node.right, scope, cond), cond)
        handler = self._handlers.get(type(node))
        if handler is None:
            raise RefusedError(f"{type(node).__name__} is not supported", "write it more simply")
        return handler(node, scope, cond)

    def truth(self, node: nodes.Node, scope: Scope, cond: Cond) -> Cond:
        """Return the condition, within another, under which an expression is true."""
        return self.algebra.truth(self.value(node, scope, cond), cond)

    def _body(self, body: list[nodes.Node], scope: Scope, cond: Cond) -> list[Part]:
        raise NotImplementedError

    def _binary(self, function: Callable[[Value, Value], Value], left: Value, right: Value, cond: Cond) -> Value:
        if function is operator.add and isinstance(left, Seq | list) and isinstance(right, Seq | list):
            if isinstance(left, list) and isinstance(right, list):
                return left + right
            # The left list is kept unconditioned, even where this is not reached. So its common part with a variable's
            # old value is recognised as common.
            joined = (*self.algebra.items(left, self.algebra.everything), *self.algebra.items(right, cond))
            if len(joined) > ELEMENTS:
                raise RefusedError("a list of the template grows too long", "add each element once")
            return Seq(joined)
        return self.algebra.lift(cond, function, left, right)

    def _list(self, node: nodes.List | nodes.Tuple, scope: Scope, cond: Cond) -> Value:
        values = [self.value(item, scope, cond) for item in node.items]
        if any(isinstance(value, Choice) for value in values):
            return Seq(tuple(option for value in values for option in self.algebra.options(value, cond)))
        if any(isinstance(value, Seq | Text) for value in values):
            raise RefusedError("a list of lists that vary is not supported", "join them with +")
        return values if isinstance(node, nodes.List) else tuple(values)

    def _dict(self, node: nodes.Dict, scope: Scope, cond: Cond) -> Value:
        return {self.value(pair.key, scope, cond): self.value(pair.value, scope, cond) for pair in node.items}

    def _getattr(self, node: nodes.Getattr, scope: Scope, cond: Cond) -> Value:
        return self._member(self.value(node.node, scope, cond), node.attr, cond, self.environment.getattr)

    def _getitem(self, node: nodes.Getitem, scope: Scope, cond: Cond) -> Value:
        holder = self.value(node.node, scope, cond)
        if isinstance(node.arg, nodes.Slice):
            bounds = [
                None if part is None else self.value(part, scope, cond)
                for part in (node.arg.start, node.arg.stop, node.arg.step)
            ]
            return self.algebra.lift(cond, lambda value, *ends: value[slice(*ends)], holder, *bounds)
        key = self.value(node.arg, scope, cond)
        return self._member(holder, key, cond, self.environment.getitem)

    def _member(self, holder: Value, key: Value, cond: Cond, get: Callable[[Value, Value], Value]) -> Value:
        if isinstance(holder, Scope):
            return holder.find(str(key))
        if isinstance(holder, Namespace):
            return holder.values.get(key, Missing(str(key)))
        if isinstance(holder, Loop):
            return getattr(holder, key) if key in {"first", "last"} else holder.counted(key)
        if isinstance(holder, Missing):
            raise FailureError(f"{holder.name} is undefined", cond)

        def plain(owner: Value, name: Value) -> Value:
            found = get(owner, name)
            return Missing(str(name)) if isinstance(found, Undefined) else found

        return self.algebra.lift(cond, plain, holder, key)

    def _arguments(
        self, node: nodes.Call | nodes.Filter | nodes.Test, scope: Scope, cond: Cond
    ) -> tuple[list[Value], dict[str, Value]]:
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            raise RefusedError("unpacked arguments are not supported", "write them out")
        return (
            [self.value(argument, scope, cond) for argument in node.args],
            {str(pair.key): self.value(pair.value, scope, cond) for pair in node.kwargs},
        )

    def _call(self, node: nodes.Call, scope: Scope, cond: Cond) -> Value:
        arguments, named = self._arguments(node, scope, cond)
        if isinstance(node.node, nodes.Name):
            target = scope.find(node.node.name)
            if isinstance(target, Macro):
                return self._call_macro(target, arguments, named, cond)
            if isinstance(target, Missing):
                target = self.environment.globals.get(node.node.name)
            if node.node.name == "namespace":
                return Namespace(dict(named))
            if node.node.name in {"range", "dict", "pathjoin"} and callable(target):
                return self._lift_call(target, arguments, named, cond)
        elif isinstance(node.node, nodes.Getattr):
            holder, name = self.value(node.node.node, scope, cond), node.node.attr
            if isinstance(holder, Scope) and isinstance(target := holder.find(name), Macro):
                return self._call_macro(target, arguments, named, cond)
            if not isinstance(holder, Seq | Text | Namespace | Loop | Missing | Scope):
                return self._lift_call(
                    lambda owner, *rest, **options: self.environment.getattr(owner, name)(*rest, **options),
                    [holder, *arguments],
                    named,
                    cond,
                )
        raise RefusedError("this call is not supported", "use a filter or a macro")

    def _lift_call(
        self, function: Callable[..., Value], arguments: list[Value], named: dict[str, Value], cond: Cond
    ) -> Value:
        keys = list(named)

        def call(*values: Value) -> Value:
            positional = values[: len(arguments)]
            return function(*positional, **dict(zip(keys, values[len(arguments) :], strict=True)))

        return self.algebra.lift(cond, call, *arguments, *named.values())

    def _call_macro(self, macro: Macro, arguments: list[Value], named: dict[str, Value], cond: Cond) -> Text:
        names = [argument.name for argument in macro.node.args]
        bound = dict(zip(names, arguments, strict=False)) | named
        inner = Scope(cond, bound, macro.scope)
        unset = [name for name in names if name not in bound]
        defaults = macro.node.defaults[len(macro.node.defaults) - len(unset) :] if unset else []
        for name, default in zip(unset, defaults, strict=True):
            bound[name] = self.value(default, inner, cond)
        return Text(tuple(self._body(macro.node.body, inner, cond)))

    def _filter(self, node: nodes.Filter, scope: Scope, cond: Cond) -> Value:
        if node.node is None:
            raise RefusedError("a filter block is not supported", "filter the values")
        arguments, named = self._arguments(node, scope, cond)
        return self.filters.filter(node.name, self.value(node.node, scope, cond), arguments, named, cond)

    def _test(self, node: nodes.Test, scope: Scope, cond: Cond) -> Value:
        arguments, _ = self._arguments(node, scope, cond)
        return self.filters.test(node.name, self.value(node.node, scope, cond), arguments, cond)

    def _compare(self, node: nodes.Compare, scope: Scope, cond: Cond) -> Value:
        left = self.value(node.expr, scope, cond)
        holds = cond
        for operand in node.ops:
            right = self.value(operand.expr, scope, cond)
            if operand.op in {"in", "notin"}:
                result = self.algebra.truth(self.algebra.contains(right, left, cond), cond)
                result = result if operand.op == "in" else cond & ~result
            else:
                result = self.algebra.truth(self.algebra.lift(cond, COMPARE[operand.op], left, right), cond)
            holds, left = holds & result, right
        return self.algebra.flag(holds)

    def _and(self, node: nodes.And, scope: Scope, cond: Cond) -> Value:
        left = self.value(node.left, scope, cond)
        here = self.algebra.truth(left, cond)
        if here == self.algebra.nothing:
            return left
        return self.algebra.merge(here, self.value(node.right, scope, here), left)

    def _or(self, node: nodes.Or, scope: Scope, cond: Cond) -> Value:
        left = self.value(node.left, scope, cond)
        rest = cond & ~self.algebra.truth(left, cond)
        if rest == self.algebra.nothing:
            return left
        return self.algebra.merge(rest, self.value(node.right, scope, rest), left)

    def _either(self, node: nodes.CondExpr, scope: Scope, cond: Cond) -> Value:
        here = self.truth(node.test, scope, cond)
        rest = cond & ~here
        results: list[tuple[Cond, Value]] = []
        if here != self.algebra.nothing:
            results.append((here, self.value(node.expr1, scope, here)))
        if rest != self.algebra.nothing:
            other = Missing("else") if node.expr2 is None else self.value(node.expr2, scope, rest)
            results.append((rest, other))
        return results[0][1] if len(results) == 1 else self.algebra.choice(results)

    def _concat(self, node: nodes.Concat, scope: Scope, cond: Cond) -> Value:
        return Text(
            tuple(
                part
                for child in node.nodes
                for part in self.algebra.parts(self.value(child, scope, cond), cond, child.lineno)
            )
        )
