"""Breaking changes between two JSON schemas of an OpenAPI document."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

type Json = dict[str, Any]

UPPER_LIMITS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
LOWER_LIMITS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
EXACT: Final = ("format", "pattern", "contentEncoding", "contentMediaType")
ANY: Final = "any"


class Direction(Enum):
    """The sender of the value. Clients must be able to go on sending what they send, and reading what they read."""

    REQUEST = "request"
    RESPONSE = "response"


@dataclass(kw_only=True)
class SchemaChanges:
    """The comparison of the schemas of two documents."""

    old_document: Json
    new_document: Json
    direction: Direction
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def breaks(self, old: Json, new: Json, where: str) -> Iterator[str]:
        """Describe each breaking change, one line each.

        Args:
            old: the schema that clients know.
            new: the schema that replaces it.
            where: the place, which each line begins with.
        """
        before, after = _variants(old, self.old_document), _variants(new, self.new_document)
        yield from self._compare_variants(before.keys(), after.keys(), where)
        for kind in before.keys() & after.keys():
            (old_name, old_one), (new_name, new_one) = before[kind], after[kind]
            if old_name and new_name:
                # A schema that contains itself is compared once.
                if (old_name, new_name) in self._seen:
                    continue
                self._seen.add((old_name, new_name))
            yield from self._compare(old_one, new_one, where)

    def _compare_variants(self, before: AbstractSet[str], after: AbstractSet[str], where: str) -> Iterator[str]:
        if ANY in after and self.direction is Direction.REQUEST:
            return
        if ANY in before and self.direction is Direction.RESPONSE:
            return
        if self.direction is Direction.REQUEST:
            for kind in sorted(before - after):
                yield f"{where}: no longer accepts {kind}"
        else:
            for kind in sorted(after - before):
                yield f"{where}: may now be {kind}"

    def _compare(self, old: Json, new: Json, where: str) -> Iterator[str]:
        if self.direction is Direction.REQUEST:
            yield from _narrowed(old, new, where)
        else:
            yield from _widened(old, new, where)
        yield from self._compare_properties(old, new, where)
        for key, place in (("items", f"{where}[]"), ("additionalProperties", f"{where}{{}}")):
            if isinstance(old.get(key), dict) and isinstance(new.get(key), dict):
                yield from self.breaks(old[key], new[key], place)

    def _compare_properties(self, old: Json, new: Json, where: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        required_before, required_after = set(old.get("required", ())), set(new.get("required", ()))
        if self.direction is Direction.REQUEST:
            for name in sorted(required_after - required_before):
                yield f"{where}.{name}: is now required"
            if new.get("additionalProperties") is False:
                for name in sorted(before.keys() - after.keys()):
                    yield f"{where}.{name}: is no longer accepted"
        else:
            for name in sorted(before.keys() - after.keys()):
                yield f"{where}.{name}: is no longer returned"
            for name in sorted((required_before - required_after) & after.keys()):
                yield f"{where}.{name}: is no longer always returned"
        for name in sorted(before.keys() & after.keys()):
            yield from self.breaks(before[name], after[name], f"{where}.{name}")


def _narrowed(old: Json, new: Json, where: str) -> Iterator[str]:
    """Describe the values that were accepted and no longer are."""
    allowed_before, allowed_after = _allowed(old), _allowed(new)
    if allowed_after is not None:
        if allowed_before is None:
            yield f"{where}: accepts only {', '.join(map(str, allowed_after))}"
        else:
            yield from (
                f"{where}: no longer accepts {value!r}" for value in allowed_before if value not in allowed_after
            )
    for key in UPPER_LIMITS:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{where}: {key} is now {new[key]}"
    for key in LOWER_LIMITS:
        if key in new and (key not in old or new[key] > old[key]) and not (key not in old and new[key] == 0):
            yield f"{where}: {key} is now {new[key]}"
    for key in EXACT:
        if key in new and new[key] != old.get(key):
            yield f"{where}: {key} is now {new[key]}"


def _widened(old: Json, new: Json, where: str) -> Iterator[str]:
    """Describe the values that clients did not have to expect. Generated clients fail at an unknown value."""
    known, possible = _allowed(old), _allowed(new)
    if known is None:
        return
    if possible is None:
        yield f"{where}: may now be any value, not only {', '.join(map(str, known))}"
    else:
        yield from (f"{where}: may now be {value!r}" for value in possible if value not in known)


def _allowed(schema: Json) -> list[Any] | None:
    if "const" in schema:
        return [schema["const"]]
    return schema.get("enum")


def _variants(schema: Json, document: Json) -> dict[str, tuple[str, Json]]:
    """Return the alternatives of a schema by their kind: the JSON type, and for one of several objects its name.

    Each comes with the name of its schema, which is empty for one without a name.
    """
    flat = list(_flatten(schema, document, name=""))
    objects = sum(one.get("type") == "object" for _, one in flat)
    found: dict[str, tuple[str, Json]] = {}
    for name, one in flat:
        types = one.get("type", ANY)
        for kind in [types] if isinstance(types, str) else types:
            found[name if kind == "object" and objects > 1 and name else str(kind)] = name, one
    return found


def _flatten(schema: Json, document: Json, name: str) -> Iterator[tuple[str, Json]]:
    """Follow references and yield each alternative with the name of its schema."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        target = document.get("components", {}).get("schemas", {}).get(name, {})
        yield from _flatten(target, document, name)
        return
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        for one in alternatives:
            yield from _flatten(one, document, name)
        return
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema.get("allOf", ()):
        for _, one in _flatten(part, document, name):
            properties = {**one.get("properties", {}), **merged.get("properties", {})}
            required = [*one.get("required", ()), *merged.get("required", ())]
            merged = {**one, **merged, "properties": properties, "required": required}
    yield name, merged
