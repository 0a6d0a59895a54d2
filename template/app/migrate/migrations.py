"""The database's revisions, with Alembic's branches, heads and labels out of sight.

Each module has a branch of its own in `migrations/versions/<module>`, and so do your own tables, in `app`.
"""

import asyncio
import io
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.kit.user_error import UserError
from app.migrate.branches import Branches

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

type Say = Callable[[str], object]


class Report:
    """Counts the revisions that are applied or reverted, and tells of each."""

    def __init__(self, say: Say | None) -> None:
        self.count = 0
        self._say = say

    def __call__(self, line: str) -> None:
        """One more."""
        self.count += 1
        if self._say is not None:
            self._say(line)


def configuration(url: str, *, report: Say | None = None, needs_metadata: bool = True) -> Config:
    """Alembic's configuration for a database.

    Args:
        report: is told of every revision that is applied or reverted.
        needs_metadata: whether the command compares with the models.
    """
    versions = MIGRATIONS / "versions"
    folders = sorted(path for path in versions.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
    config = Config(stdout=io.StringIO(), cmd_opts=Namespace(quiet=True))
    for name, value in (
        ("script_location", str(MIGRATIONS)),
        ("file_template", "%(rev)s_%(slug)s"),
        ("path_separator", "newline"),
        ("version_locations", "\n".join(str(folder) for folder in folders or [versions])),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes |= {"url": url, "report": report, "needs_metadata": needs_metadata}
    return config


def branches(config: Config) -> Branches:
    """What the files say."""
    return Branches(ScriptDirectory.from_config(config))


def upgrade(url: str, *, say: Say | None = None) -> int:
    """Brings the database to the newest revision of every branch.

    Returns:
        How many were applied.

    Raises:
        UserError: the database has revisions whose files are gone.
    """
    report = Report(say)
    config = configuration(url, report=report, needs_metadata=False)
    require_known(url, branches(config))
    command.upgrade(config, "heads")
    return report.count


def downgrade(url: str, target: str, *, say: Say | None = None) -> int:
    """Takes revisions back.

    Args:
        target: `NAME@base` takes a whole branch back, `NAME@-1` its newest revision, an id all that came after it in
            its branch, and `base` everything.

    Returns:
        How many were taken back.

    Raises:
        UserError: the target is unknown, or applied revisions of other branches stand on what would go.
    """
    report = Report(say)
    config = configuration(url, report=report, needs_metadata=False)
    found = branches(config)
    require_known(url, found)
    if target != "base":
        applied = applied_revisions(url, found)
        removed = _above(found, target)
        blocking = [revision for revision in found.dependents(removed) if revision.revision in applied]
        if blocking:
            names = "\n".join(f"  {found.name_of(it)}: {it.revision} ({it.doc}), {_place(it)}" for it in blocking)
            raise UserError(
                f"Revisions of others stand on what {target} would take back:\n{names}\n"
                "Take them back first, or, where they use nothing of it, remove its id from their `depends_on`."
            )
    command.downgrade(config, target)
    return report.count


def _above(found: Branches, target: str) -> list[Script]:
    """The revisions that a downgrade to the target takes back within its branch."""
    match = re.fullmatch(r"([A-Za-z0-9_]+)@(base|-[1-9][0-9]*)", target)
    if match and match[1] in found.names:
        line = found.line(match[1])
        return line if match[2] == "base" else line[int(match[2]) :]
    for revision in found.revisions:
        if revision.revision == target:
            line = found.line(found.name_of(revision))
            return line[line.index(revision) + 1 :]
    raise UserError(
        f"{target} is neither NAME@base, NAME@-1, a revision's id nor base. The names are: {', '.join(found.names)}."
    )


def _place(revision: Script) -> str:
    path = Path(revision.path)
    return str(path.relative_to(MIGRATIONS.parent) if path.is_relative_to(MIGRATIONS.parent) else path)


def current_heads(url: str) -> tuple[str, ...]:
    """What the database says of itself: the newest revision of each branch."""

    def read(connection: Connection) -> tuple[str, ...]:
        return MigrationContext.configure(connection).get_current_heads()

    async def connect() -> tuple[str, ...]:
        engine = create_async_engine(url, poolclass=NullPool)
        try:
            async with engine.connect() as connection:
                return await connection.run_sync(read)
        finally:
            await engine.dispose()

    return asyncio.run(connect())


def applied_revisions(url: str, found: Branches) -> set[str]:
    """The ids of all revisions that the database has."""
    heads = set(current_heads(url))
    return {id_ for revision in found.revisions if revision.revision in heads for id_ in found.foundations(revision)}


def require_known(url: str, found: Branches) -> None:
    """Refuses a database that knows revisions whose files are gone.

    Raises:
        UserError: naming them.
    """
    unknown = sorted(set(current_heads(url)) - {revision.revision for revision in found.revisions})
    if unknown:
        raise UserError(
            f"The database has revisions whose files are not in migrations/versions: {', '.join(unknown)}.\n"
            "Put the files back (git log -- migrations/versions tells when they went) and take the revisions back with "
            "`app db downgrade NAME@base` before you remove them."
        )


def is_current(url: str) -> bool:
    """Whether the database has every revision."""
    found = branches(configuration(url, needs_metadata=False))
    return applied_revisions(url, found) >= {revision.revision for revision in found.revisions}
