"""The base of the types that are strings with a format."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.kit.text import bounded_string, too_long


@dataclass(frozen=True, kw_only=True, slots=True)
class StringFormat:
    """A string with a format: `Slug = Annotated[str, StringFormat(check=check_slug, …)]`.

    The length is checked first, then white space at both ends is removed, then the format is checked. Lone surrogates
    and bytes are refused. The value is the canonical form: validating it again does not change it.

    Attributes:
        check: returns the canonical form, or raises `ValueError`.
        max_length: in characters, without the white space at both ends; of the input and of the canonical form.
        format: the name of the format in OpenAPI.
        examples: for OpenAPI, each in canonical form.
        pattern: for OpenAPI, a regular expression that every accepted string matches.
    """

    check: Callable[[str], str]
    max_length: int
    format: str
    examples: tuple[str, ...]
    min_length: int = 1
    pattern: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """See pydantic's "Customizing validation with `__get_pydantic_core_schema__`"."""
        text = bounded_string(min_length=self.min_length, max_length=self.max_length, strict=True)
        return core_schema.no_info_after_validator_function(self._checked, text)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the schema for OpenAPI."""
        result = handler(schema) | {"format": self.format, "examples": list(self.examples)}
        return result if self.pattern is None else result | {"pattern": self.pattern}

    def _checked(self, value: str) -> str:
        result = self.check(value)
        if len(result) > self.max_length:
            raise too_long(self.max_length)
        return result
