"""Jinja's filters and tests over values that vary.

If every argument is plain, Jinja's own function is called. For a list of conditional elements, filters that treat
elements one by one, or that keep the order, work on the conditions. A filter that is not in `_lists` is applied to
every form that the list can take, and refused if there are too many.
"""

from collections.abc import Callable

from jinja2.environment import Environment
from jinja2.runtime import Undefined

from omnistack.prove.space import Cond
from omnistack.prove.values import Algebra, Choice, Missing, Part, RefusedError, Seq, Text, Value, same

type Arguments = list[Value]
type Named = dict[str, Value]
type Items = list[tuple[Cond, Value]]


class Filters:
    """Jinja's filters and tests."""

    def __init__(self, algebra: Algebra, environment: Environment) -> None:
        self.algebra = algebra
        self.environment = environment
        self._context = environment.from_string("").new_context({})
        self._lists: dict[str, Callable[[Items, Arguments, Named, Cond], Value]] = {
            "list": lambda items, *_: Seq(tuple(items)),
            "map": self._map,
            "select": lambda *given: self._select(*given, attribute=False, wanted=True),
            "reject": lambda *given: self._select(*given, attribute=False, wanted=False),
            "selectattr": lambda *given: self._select(*given, attribute=True, wanted=True),
            "rejectattr": lambda *given: self._select(*given, attribute=True, wanted=False),
            "sort": self._sort,
            "unique": self._unique,
            "join": self._join,
            "sum": self._sum,
            "first": self._first,
            "last": lambda items, arguments, named, cond: self._first(items[::-1], arguments, named, cond),
            "length": lambda items, _arguments, _named, cond: self.count([inner for inner, _ in items], cond, 0),
            "count": lambda items, _arguments, _named, cond: self.count([inner for inner, _ in items], cond, 0),
        }

    def filter(self, name: str, value: Value, arguments: Arguments, named: Named, cond: Cond) -> Value:
        """Apply a filter."""
        if name in {"default", "d"}:
            return self._default(value, arguments, named, cond)
        if name in {"to_json", "tojson"} and isinstance(value, Seq) and not arguments and not named:
            return Text((Part(cond, value, 0),))
        if name in {"to_nice_yaml", "to_yaml"} and isinstance(value, dict):
            return self._yaml(name, value, arguments, named, cond)
        varies = isinstance(value, Seq) or any(isinstance(each, Seq | Choice) for each in (*arguments, *named.values()))
        if name in self._lists and varies and not isinstance(value, str | Text):
            return self._lists[name](self.algebra.items(value, cond), arguments, named, cond)
        keys = list(named)

        def call(plain: Value, *rest: Value) -> Value:
            positional, options = rest[: len(arguments)], rest[len(arguments) :]
            result = self.environment.call_filter(
                name, plain, list(positional), dict(zip(keys, options, strict=True)), context=self._context
            )
            return list(result) if hasattr(result, "__next__") else result

        return self.algebra.lift(cond, call, value, *arguments, *named.values())

    def test(self, name: str, value: Value, arguments: Arguments, cond: Cond) -> Value:
        """Apply a test."""
        if name in {"defined", "undefined"}:
            missing = self.algebra.space.union(
                inner for inner, option in self._plain(value, cond) if isinstance(option, Missing)
            )
            return self.algebra.flag(missing if name == "undefined" else cond & ~missing)
        if name == "in" and len(arguments) == 1:
            return self.algebra.contains(arguments[0], value, cond)
        return self.algebra.lift(
            cond,
            lambda plain, *rest: self.environment.call_test(name, plain, list(rest), {}, context=self._context),
            value,
            *arguments,
        )

    def count(self, conditions: list[Cond], cond: Cond, start: int) -> Value:
        """Count how many of some conditions hold."""
        counts: Items = [(cond, start)]
        for inner in conditions:
            step = [(known & inner, number + 1) for known, number in counts]
            step += [(known & ~inner, number) for known, number in counts]
            merged = self.algebra.choice(step)
            counts = self._plain(merged, cond)
        return self.algebra.choice(counts)

    def _plain(self, value: Value, cond: Cond) -> Items:
        return self.algebra.options(value, cond) if isinstance(value, Choice) else [(cond, value)]

    def _default(self, value: Value, arguments: Arguments, named: Named, cond: Cond) -> Value:
        if named or len(arguments) > 1:
            raise RefusedError("default() with options is not supported", "write an if-expression")
        instead = arguments[0] if arguments else ""
        options = self._plain(value, cond)
        return self.algebra.choice(
            (inner, instead if isinstance(option, Missing) else option) for inner, option in options
        )

    def _yaml(self, name: str, value: Named, arguments: Arguments, named: Named, cond: Cond) -> Text:
        """Print a mapping key by key: a block mapping is the lines of its keys, sorted."""
        parts: list[Part] = []
        for key in sorted(value):
            text = self.algebra.lift(
                cond,
                lambda plain, key=key: self.environment.call_filter(
                    name, {key: plain}, arguments, named, context=self._context
                ),
                value[key],
            )
            parts.extend(self.algebra.parts(text, cond, 1))
        return Text(tuple(parts))

    def _map(self, items: Items, arguments: Arguments, named: Named, cond: Cond) -> Seq:
        del cond
        if "attribute" in named:
            found = [
                pair for inner, item in items for pair in self._plain(self._attribute(item, named["attribute"]), inner)
            ]
            return Seq(tuple(found))
        name, *rest = arguments
        return Seq(
            tuple(
                pair
                for inner, item in items
                for pair in self._plain(self.filter(name, item, rest, named, inner), inner)
            )
        )

    def _attribute(self, item: Value, path: str) -> Value:
        for part in str(path).split("."):
            item = self.environment.getitem(item, int(part) if part.isdigit() else part)
            if isinstance(item, Undefined):
                return Missing(part)
        return item

    def _select(
        self, items: Items, arguments: Arguments, named: Named, cond: Cond, *, attribute: bool, wanted: bool
    ) -> Seq:
        del named, cond
        path = arguments[0] if attribute else None
        rest = arguments[1:] if attribute else arguments
        found: Items = []
        for inner, item in items:
            value = self._attribute(item, path) if path is not None else item
            result = self.test(rest[0], value, rest[1:], inner) if rest else value
            true = self.algebra.truth(result, inner)
            kept = true if wanted else inner & ~true
            if kept != self.algebra.nothing:
                found.append((kept, item))
        return Seq(tuple(found))

    def _sort(self, items: Items, arguments: Arguments, named: Named, cond: Cond) -> Seq:
        # Sorting is stable, so sorting all elements also sorts the present ones.
        del cond
        keyed = [Tagged(item, inner) for inner, item in items]
        attribute = named.get("attribute")
        options = {key: value for key, value in named.items() if key != "attribute"}
        path = "value" if attribute is None else f"value.{attribute}"
        ordered = self.environment.call_filter(
            "sort", keyed, arguments, {**options, "attribute": path}, context=self._context
        )
        return Seq(tuple(self._joined([(tagged.cond, tagged.value) for tagged in ordered])))

    def _joined(self, ordered: Items) -> Items:
        """Merge equal, mutually exclusive neighbours into one element. `unique` leaves such neighbours."""
        joined: Items = []
        for inner, item in ordered:
            if joined and inner & joined[-1][0] == self.algebra.nothing and same(joined[-1][1], item):
                joined[-1] = (joined[-1][0] | inner, joined[-1][1])
            else:
                joined.append((inner, item))
        return joined

    def _unique(self, items: Items, arguments: Arguments, named: Named, cond: Cond) -> Seq:
        del cond
        if arguments or set(named) - {"attribute"}:
            raise RefusedError("unique() with options is not supported", "leave the options out")
        found: Items = []
        met: list[tuple[Value, Cond]] = []
        for inner, item in items:
            key = self._attribute(item, named["attribute"]) if named else item
            key = key.lower() if isinstance(key, str) else key
            earlier = self.algebra.space.union(known for other, known in met if same(key, other))
            met.append((key, inner))
            if inner & ~earlier != self.algebra.nothing:
                found.append((inner & ~earlier, item))
        return Seq(tuple(found))

    def _join(self, items: Items, arguments: Arguments, named: Named, cond: Cond) -> Text:
        separator = arguments[0] if arguments else named.get("d", "")
        if "attribute" in named:
            items = [(inner, self._attribute(item, named["attribute"])) for inner, item in items]
        parts: list[Part] = []
        before = self.algebra.nothing
        for inner, item in items:
            if separator and inner & before != self.algebra.nothing:
                parts.extend(self.algebra.parts(separator, inner & before, 0))
            parts.extend(self.algebra.parts(item, inner, 0))
            before = before | inner
        del cond
        return Text(tuple(parts))

    def _sum(self, items: Items, arguments: Arguments, named: Named, cond: Cond) -> Value:
        if "attribute" in named:
            items = [(inner, self._attribute(item, named["attribute"])) for inner, item in items]
        start = named.get("start", arguments[0] if arguments else 0)
        if not isinstance(start, list):
            raise RefusedError("a sum of numbers is not supported", "count with length")
        del cond
        return Seq(tuple(pair for inner, item in items for pair in self.algebra.items(item, inner)))

    def _first(self, items: Items, arguments: Arguments, named: Named, cond: Cond) -> Value:
        del arguments, named
        results: Items = []
        for inner, item in items:
            results.append((cond & inner, item))
            cond = cond & ~inner
        results.append((cond, Missing("the first of an empty list")))
        return self.algebra.choice(results)


class Tagged:
    """An element and its condition, so that Jinja's own sort can be used."""

    def __init__(self, value: Value, cond: Cond) -> None:
        self.value = value
        self.cond = cond
