"""Times in requests."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

MAX_LENGTH: Final = 40
MESSAGE: Final = "Enter a date and time with a time zone, such as 2026-01-31T12:00:00Z"


@dataclass(frozen=True, slots=True)
class _Rfc3339:
    """A validator that accepts texts only: pydantic would also take numbers, as seconds since 1970."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401
        """Accept a time with a time zone: an object, or a text that begins with a date."""
        time = core_schema.datetime_schema(tz_constraint="aware")
        text = core_schema.str_schema(max_length=MAX_LENGTH, pattern=r"^\d{4}-\d{2}-\d{2}[Tt ]", strict=True)
        return core_schema.union_schema(
            [core_schema.datetime_schema(tz_constraint="aware", strict=True), core_schema.chain_schema([text, time])],
            mode="left_to_right",
            custom_error_type="timestamp",
            custom_error_message=MESSAGE,
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the format of RFC 3339."""
        return {"type": "string", "format": "date-time", "examples": ["2026-01-31T12:00:00Z"]}


Timestamp = Annotated[datetime, _Rfc3339()]
"""A time with a time zone, as RFC 3339 writes it."""
