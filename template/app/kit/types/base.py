"""The base of types that are strings with a format."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True, kw_only=True, slots=True)
class StringFormat:
    """A string with a format: `Slug = Annotated[str, StringFormat(…)]`.

    The length is checked first, so that nothing else sees a longer text. Lone surrogates are refused.

    Attributes:
        check: returns the value in its canonical form, or raises `ValueError`.
        max_length: in characters, without the white space at both ends, which is removed.
        format: the name of the format in OpenAPI.
        examples: for OpenAPI. Each is valid and canonical.
        pattern: for OpenAPI, a regular expression that every valid value matches.
    """

    check: Callable[[str], str]
    max_length: int
    format: str
    examples: tuple[str, ...]
    min_length: int = 1
    pattern: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """See pydantic's "Customizing validation with `__get_pydantic_core_schema__`"."""
        text = core_schema.str_schema(
            strict=True, strip_whitespace=True, min_length=self.min_length, max_length=self.max_length
        )
        return core_schema.no_info_after_validator_function(self.check, text)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema for OpenAPI."""
        result = handler(schema) | {"format": self.format, "examples": list(self.examples)}
        return result if self.pattern is None else result | {"pattern": self.pattern}
