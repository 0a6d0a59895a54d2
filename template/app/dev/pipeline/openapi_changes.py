"""Breaking changes between two OpenAPI documents, for clients that were written against the first."""

from collections.abc import Iterator
from typing import Final

from app.dev.pipeline.schema_changes import Direction, Json, SchemaChanges

METHODS: Final = ("get", "put", "post", "delete", "options", "head", "patch", "trace")


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Describe each breaking change of the API, one line each, sorted and without duplicates."""
    found: set[str] = set()
    for path, old_path in old.get("paths", {}).items():
        new_path = new.get("paths", {}).get(path, {})
        for method in METHODS:
            if method not in old_path:
                continue
            where = f"{method.upper()} {path}"
            if method not in new_path:
                found.add(f"{where}: was removed")
                continue
            found.update(_Operation(old, new, old_path[method], new_path[method], where).breaks())
    return sorted(found)


class _Operation:
    """The comparison of one operation."""

    def __init__(self, old_document: Json, new_document: Json, old: Json, new: Json, where: str) -> None:
        self._documents = old_document, new_document
        self._old, self._new, self._where = old, new, where

    def breaks(self) -> Iterator[str]:
        """Describe each breaking change of the operation."""
        before, after = self._old.get("operationId"), self._new.get("operationId")
        if before != after:
            # Generated clients name their functions after it.
            yield f"{self._where}: operationId was {before} and is {after}"
        if self._security(1) and not self._security(0):
            yield f"{self._where}: now requires authentication"
        yield from self._parameters()
        yield from self._body()
        yield from self._responses()

    def _security(self, index: int) -> bool:
        operation = (self._old, self._new)[index]
        schemes = operation.get("security", self._documents[index].get("security")) or []
        return bool(schemes) and {} not in schemes

    def _changes(self, direction: Direction) -> SchemaChanges:
        old, new = self._documents
        return SchemaChanges(old_document=old, new_document=new, direction=direction)

    def _parameters(self) -> Iterator[str]:
        before = {(one["in"], one["name"]): one for one in self._old.get("parameters", ())}
        for one in self._new.get("parameters", ()):
            key = one["in"], one["name"]
            where = f"{self._where}: {one['in']} parameter {one['name']}"
            known = before.get(key)
            if one.get("required") and not (known and known.get("required")):
                yield f"{where}: is now required"
            if known is not None:
                changes = self._changes(Direction.REQUEST)
                yield from changes.breaks(known.get("schema", {}), one.get("schema", {}), where)
        after = {(one["in"], one["name"]) for one in self._new.get("parameters", ())}
        for place, name in sorted(before.keys() - after):
            yield f"{self._where}: {place} parameter {name}: was removed"

    def _body(self) -> Iterator[str]:
        before, after = self._old.get("requestBody", {}), self._new.get("requestBody", {})
        if after.get("required") and not before.get("required"):
            yield f"{self._where}: a request body is now required"
        yield from self._contents(before, after, f"{self._where}: request body", Direction.REQUEST)

    def _responses(self) -> Iterator[str]:
        before, after = self._old.get("responses", {}), self._new.get("responses", {})
        for status in sorted(status for status in before if status.startswith("2")):
            where = f"{self._where}: response {status}"
            if status not in after:
                yield f"{where}: was removed"
                continue
            yield from self._contents(before[status], after[status], where, Direction.RESPONSE)

    def _contents(self, before: Json, after: Json, where: str, direction: Direction) -> Iterator[str]:
        new = after.get("content", {})
        for media_type, content in before.get("content", {}).items():
            if media_type not in new:
                yield f"{where}: {media_type} was removed"
                continue
            changes = self._changes(direction)
            yield from changes.breaks(content.get("schema", {}), new[media_type].get("schema", {}), where)
