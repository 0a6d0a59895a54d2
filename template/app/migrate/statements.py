"""The SQL of a revision for PostgreSQL, rendered without a database."""

import io
import re
from typing import Final

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import Script

from app.kit.user_error import UserError

COMMENT_OR_LITERAL: Final = re.compile(r"('(?:[^']|'')*'|\$(\w*)\$.*?\$\2\$)|--[^\n]*|/\*.*?\*/", re.DOTALL)
TABLE: Final = re.compile(
    r"\b(?:ALTER TABLE|DROP TABLE|UPDATE|DELETE FROM|INSERT INTO|REFERENCES|TRUNCATE(?: TABLE)?|ON)\s+"
    r'(?:IF EXISTS\s+)?(?:ONLY\s+)?(?:public\.)?("[^"]+"|\w+)',
    re.IGNORECASE,
)
CONCURRENT_INDEX: Final = re.compile(
    r'\bCREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF NOT EXISTS\s+)?("[^"]+"|\w+)', re.IGNORECASE
)


COMMIT: Final = re.compile(r"^\s*(?:COMMIT|BEGIN)\s*;", re.IGNORECASE | re.MULTILINE)
"""The bounds of Alembic's `autocommit_block` in the rendered SQL."""


def sql_of(revision: Script) -> str:
    """Return the SQL statements of a revision, each ended by a semicolon; empty if it does nothing on PostgreSQL.

    Raises:
        UserError: the revision's code needs rows of the database.
    """
    dialects = getattr(revision.module, "dialects", None)
    if dialects is not None and "postgresql" not in dialects:
        return ""
    buffer = io.StringIO()
    context = MigrationContext.configure(
        dialect_name="postgresql", opts={"as_sql": True, "output_buffer": buffer, "transactional_ddl": True}
    )
    try:
        with Operations.context(context):
            revision.module.upgrade()
    except Exception as error:
        raise UserError(
            f"The SQL of revision {revision.revision} cannot be shown without running it ({type(error).__name__}): "
            "its code reads from the database. Change rows with SQL statements in op.execute."
        ) from error
    return buffer.getvalue().strip()


def without_comments(sql: str) -> str:
    """Return the SQL without comments and without the contents of literals and function bodies."""
    return COMMENT_OR_LITERAL.sub(lambda match: "''" if match[1] else " ", sql)


def commits(sql: str) -> bool:
    """Return whether a part of the SQL runs outside of a transaction."""
    return COMMIT.search(without_comments(sql)) is not None


def is_mixed(sql: str) -> bool:
    """Return whether parts of the SQL run inside of a transaction, and others outside."""
    parts = COMMIT.split(without_comments(sql))
    # The parts alternate: inside, outside, inside, …
    return len(parts) > 1 and any(part.strip() for part in parts[::2])


def tables_in(sql: str) -> set[str]:
    """Return the names of the tables that the SQL changes or refers to."""
    return {match[1].strip('"') for match in TABLE.finditer(without_comments(sql))}


def concurrent_indexes(sql: str) -> set[str]:
    """Return the names of the indexes that the SQL builds with CONCURRENTLY."""
    return {match[1].strip('"') for match in CONCURRENT_INDEX.finditer(without_comments(sql))}
