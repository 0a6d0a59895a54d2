"""The statements of pending revisions that would break the running release, found without running them."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from app.migrate.release_schema import ColumnUse, ReleaseSchema
from app.migrate.statements import without_comments

ALTER: Final = re.compile(r"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(?:public\.)?(\w+) (.*)", re.IGNORECASE)
DROP_TABLE: Final = re.compile(r"DROP TABLE (?:IF EXISTS )?(?:public\.)?(\w+)", re.IGNORECASE)
DROP_COLUMN: Final = re.compile(r"\bDROP COLUMN (?:IF EXISTS )?(\w+)", re.IGNORECASE)
RENAME_COLUMN: Final = re.compile(r"\bRENAME (?:COLUMN )?(?!TO\b|CONSTRAINT\b)(\w+) TO (\w+)", re.IGNORECASE)
RENAME_TABLE: Final = re.compile(r"\bRENAME TO (\w+)", re.IGNORECASE)
SET_NOT_NULL: Final = re.compile(r"\bALTER (?:COLUMN )?(\w+) SET NOT NULL", re.IGNORECASE)
ADD_COLUMN: Final = re.compile(r"\bADD COLUMN (?:IF NOT EXISTS )?(\w+) ((?:[^,(]|\([^)]*\))*)", re.IGNORECASE)


def breaking(sql: str, release: ReleaseSchema) -> list[str]:
    """Return the reasons why the running release could not work after this SQL. Types are compared when it has run."""
    return [reason for statement in _statements(sql) for reason in _reasons(statement, release)]


def _statements(sql: str) -> Iterator[str]:
    for statement in without_comments(sql).replace('"', "").split(";"):
        yield " ".join(statement.split())


def _reasons(statement: str, release: ReleaseSchema) -> Iterator[str]:
    if (match := DROP_TABLE.match(statement)) and match[1] in release:
        yield f"It drops the table {match[1]}, which the running release uses."
    match = ALTER.match(statement)
    if match is not None and match[1] in release:
        table, actions = match.groups()
        yield from _removed(table, actions, release[table])
        yield from _required(table, actions, release[table])


def _removed(table: str, actions: str, columns: Mapping[str, ColumnUse]) -> Iterator[str]:
    for renamed in RENAME_TABLE.finditer(actions):
        yield f"It renames the table {table}, which the running release uses, to {renamed[1]}."
    for dropped in DROP_COLUMN.finditer(actions):
        if dropped[1] in columns:
            yield f"It drops {table}.{dropped[1]}, which the running release uses."
    for renamed in RENAME_COLUMN.finditer(actions):
        if renamed[1] in columns:
            yield f"It renames {table}.{renamed[1]}, which the running release uses, to {renamed[2]}."


def _required(table: str, actions: str, columns: Mapping[str, ColumnUse]) -> Iterator[str]:
    for required in SET_NOT_NULL.finditer(actions):
        if required[1] not in columns or columns[required[1]]["nullable"]:
            yield f"It makes {table}.{required[1]} NOT NULL, and the running release may leave it empty."
    for added in ADD_COLUMN.finditer(actions):
        definition = added[2].upper()
        if "NOT NULL" in definition and not re.search(r"\bDEFAULT\b|\bGENERATED\b|SERIAL\b", definition):
            yield f"It adds {table}.{added[1]}, NOT NULL without a default, which the running release does not insert."
