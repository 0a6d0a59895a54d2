"""Column types that behave the same on PostgreSQL and SQLite."""

import re
from enum import StrEnum
from typing import Final

from sqlalchemy import Enum

ENUM_LENGTH: Final = 40
"""Characters of the column, whatever the members are now, so that a longer member changes no column."""


def enum_type(members: type[StrEnum], name: str | None = None, *, length: int = ENUM_LENGTH) -> Enum:
    """Return the type of a column with an enum: the values as text, and a CHECK constraint.

    Use it as `status: Status = Field(sa_type=enum_type(Status))`. `app db check` compares the constraint with the enum.
    A native enum type of PostgreSQL, in contrast, cannot lose a member, and SQLite has none.

    Args:
        members: the enum. Its values are stored, not its names.
        name: of the constraint, where a table has two columns with the same enum.
        length: of the column, in characters.

    Raises:
        ValueError: a value is longer than the column.
    """
    too_long = [member.value for member in members if len(member.value) > length]
    if too_long:
        raise ValueError(f"{members.__name__} has values of more than {length} characters: {', '.join(too_long)}.")
    return Enum(
        members,
        name=name or re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", members.__name__).lower(),
        native_enum=False,
        create_constraint=True,
        validate_strings=True,
        length=length,
        values_callable=lambda cls: [member.value for member in cls],
    )
