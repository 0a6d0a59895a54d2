"""A database's record of its revisions."""

import asyncio
from collections.abc import Callable, Sequence

from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from app.core.db.engine import command_engine
from app.kit.user_error import UserError
from app.migrate.branches import Branches
from app.migrate.script_files import branches, configuration


def on_database[T](url: str, work: Callable[[Connection], T]) -> T:
    """Run a function on a connection of its own, in a transaction."""

    async def connect() -> T:
        engine = command_engine(url)
        try:
            async with engine.begin() as connection:
                return await connection.run_sync(work)
        finally:
            await engine.dispose()

    return asyncio.run(connect())


def current_heads(url: str) -> tuple[str, ...]:
    """Return the newest revision of each branch that the database has."""
    return on_database(url, lambda connection: MigrationContext.configure(connection).get_current_heads())


def applied_revisions(url: str, found: Branches) -> set[str]:
    """Return the ids of all revisions that the database has."""
    return found.applied(current_heads(url))


def unknown_revisions(found: Branches, heads: Sequence[str]) -> list[str]:
    """Return the database's revisions that have no file."""
    return sorted(set(heads) - found.ids)


def require_known(found: Branches, heads: Sequence[str]) -> None:
    """Refuse a database with revisions that have no file.

    Raises:
        UserError: names them.
    """
    unknown = unknown_revisions(found, heads)
    if unknown:
        raise UserError(
            f"The database has revisions whose files are not in migrations/versions: {', '.join(unknown)}.\n"
            "Either they belong to another branch of the repository or to newer code: switch to it, or use another "
            "database. Or their files were deleted: `git log --diff-filter=D --stat -- migrations/versions` shows "
            "when; restore them."
        )


def is_current(url: str) -> bool:
    """Return whether the database has every revision."""
    found = branches(configuration(url, needs_metadata=False))
    return applied_revisions(url, found) >= found.ids


def repair(url: str, found: Branches, heads: Sequence[str]) -> set[str]:
    """Remove the heads that another head includes, with which Alembic refuses every command ("overlaps").

    They appear when `down_revision` or `depends_on` was edited after the revision had been applied. All of them stay
    applied: only the redundant rows of `alembic_version` go.

    Returns:
        The ids of the removed heads.
    """
    redundant = found.redundant(heads)

    def remove(connection: Connection) -> None:
        for id_ in redundant:
            connection.execute(text("DELETE FROM alembic_version WHERE version_num = :id"), {"id": id_})

    if redundant:
        on_database(url, remove)
    return redundant
