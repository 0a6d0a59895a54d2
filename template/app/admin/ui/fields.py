"""Fields of the browser admin, read from the JSON schemas of an OpenAPI document."""

from collections.abc import Mapping
from typing import Any, Final

from app.admin.ui.schemas import FieldKind, FieldRead

type Schema = Mapping[str, Any]

LONG_TEXT: Final = 200
"""Maximum length of a text that gets an input of one line."""
_KINDS: Final[Mapping[str, FieldKind]] = {"boolean": "boolean", "integer": "integer", "number": "number"}
_FORMATS: Final[Mapping[str, FieldKind]] = {"date-time": "datetime", "date": "date", "uuid": "id"}
_ABBREVIATIONS: Final = frozenset({"api", "id", "ip", "url"})
_REFERENCE: Final = "#/components/schemas/"


def title_of(name: str, given: str | None = None) -> str:
    """Return the title of a field or route: `is_active` becomes `Active`, `user_id` becomes `User ID`.

    Args:
        name: the identifier.
        given: the title in the OpenAPI document. It is kept if it was not derived from the name.
    """
    derived = name.replace("_", " ").title()
    if given is not None and given != derived:
        return given
    words = name.removeprefix("is_").replace("-", "_").split("_")
    shown = [word.upper() if word in _ABBREVIATIONS else word for word in words if word]
    text = " ".join(shown)
    return text[:1].upper() + text[1:]


class SchemaReader:
    """Reads the schemas of one OpenAPI document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas: Mapping[str, Schema] = document.get("components", {}).get("schemas", {})

    def fields(self, schema: Schema) -> list[FieldRead]:
        """Return the fields of an object; none of any other schema."""
        resolved, _ = self.resolve(schema)
        required = resolved.get("required", ())
        return [
            self.field(name, each, required=name in required) for name, each in resolved.get("properties", {}).items()
        ]

    def field(self, name: str, schema: Schema, *, required: bool = False) -> FieldRead:
        """Return the field that a schema describes."""
        resolved, nullable = self.resolve(schema)
        choices = list(resolved.get("enum", [resolved["const"]] if "const" in resolved else []))
        return FieldRead(
            name=name,
            # The title of a referenced schema is that of its class.
            title=title_of(name, schema.get("title")),
            kind="choice" if choices else _kind(resolved),
            description=schema.get("description"),
            choices=choices,
            required=required,
            nullable=nullable,
            default=schema.get("default"),
            max_length=resolved.get("maxLength"),
            minimum=resolved.get("minimum"),
            maximum=resolved.get("maximum"),
        )

    def resolve(self, schema: Schema) -> tuple[Schema, bool]:
        """Return the schema behind references and `null`, and whether `null` is allowed."""
        nullable = False
        # No document has deeper references; a recursive schema is a union of several.
        for _ in range(10):
            if "$ref" in schema:
                schema = self._schemas.get(schema["$ref"].removeprefix(_REFERENCE), {})
                continue
            options = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf") or ()
            others = [option for option in options if option.get("type") != "null"]
            nullable = nullable or len(others) < len(options)
            if len(others) != 1:
                break
            schema = others[0]
        return schema, nullable

    def items(self, schema: Schema) -> Schema | None:
        """Return the schema of a list's items; `None` if the response is no list."""
        resolved, _ = self.resolve(schema)
        array, _ = self.resolve(resolved.get("properties", {}).get("items", resolved))
        if array.get("type") != "array":
            return None
        items: Schema = array.get("items", {})
        return items


def _kind(schema: Schema) -> FieldKind:
    type_ = schema.get("type")
    if type_ == "string":
        long = schema.get("maxLength", 0) > LONG_TEXT
        return _FORMATS.get(schema.get("format", ""), "long_text" if long else "text")
    return _KINDS.get(str(type_), "json")
