"""Apply and revert revisions, without making the user deal with Alembic's branches, heads and labels.

Each module has a branch of its own in `migrations/versions/<module>`, and so does the project, in `app`.
"""

import re
from collections.abc import Callable, Sequence

from alembic import command
from alembic.script import Script
from sqlalchemy import MetaData

from app.core.db.schema_version import lacking
from app.kit.user_error import UserError
from app.migrate.branches import OWN, Branches, as_tuple
from app.migrate.database_state import current_heads, on_database, repair, require_known, unknown_revisions
from app.migrate.script_files import Say, branches, configuration, relative, unlabel_all_but_one


class Report:
    """A report that counts the revisions that are applied or reverted, and names each of them."""

    def __init__(self, say: Say | None) -> None:
        self.count = 0
        self._say = say

    def __call__(self, line: str) -> None:
        """Count a revision."""
        self.count += 1
        self.note(line)

    def note(self, line: str) -> None:
        """Report something that isn't a revision."""
        if self._say is not None:
            self._say(line)


def upgrade(url: str, *, say: Say | None = None, newer_than: Callable[[], MetaData] | None = None) -> int:
    """Bring the database to the newest revision of every branch.

    Args:
        url: the DATABASE_URL.
        say: called with a line for each revision.
        newer_than: return the models' tables. Then a database with revisions that have no file is left alone instead of
            refused, provided that it has all of these tables: the deployment was rolled back to older code.

    Returns:
        The number of revisions applied.

    Raises:
        UserError: a branch has two newest revisions, or the database has revisions whose files are missing.
    """
    report = Report(say)
    config = configuration(url, report=report, needs_metadata=False)
    found = branches(config)
    heads = current_heads(url)
    if newer_than is not None and (unknown := unknown_revisions(found, heads)):
        _require_tables(url, newer_than(), unknown)
        report.note(
            f"Warning: the database is newer than this code: it has {', '.join(unknown)}. It has every table and "
            "column that this code uses, so nothing was changed. Deploy code that has these revisions to apply more."
        )
        return 0
    require_known(found, heads)
    found.require_single_heads()
    _repair(url, found, heads, report)
    command.upgrade(config, "heads")
    return report.count


def pending(url: str) -> list[Script]:
    """Return the revisions that `upgrade` would apply, in order.

    Raises:
        UserError: the database has revisions whose files are missing.
    """
    found = branches(configuration(url, needs_metadata=False))
    heads = current_heads(url)
    require_known(found, heads)
    applied = found.applied(heads)
    return [it for it in found.revisions if it.revision not in applied]


def downgrade(url: str, target: str, *, say: Say | None = None) -> int:
    """Revert revisions.

    Args:
        url: the DATABASE_URL.
        target: `NAME@base` reverts a whole branch, `NAME@-1` its newest revision, an id everything that follows it in
            its branch, and `base` everything.
        say: called with a line for each revision.

    Returns:
        The number of revisions reverted.

    Raises:
        UserError: the target is unknown, or applied revisions of other branches depend on what would be reverted.
    """
    report = Report(say)
    config = configuration(url, report=report, needs_metadata=False)
    found = branches(config)
    to_be_reverted(url, target)
    _repair(url, found, current_heads(url), report)
    for step in _steps(found, target):
        command.downgrade(config, step)
    return report.count


def to_be_reverted(url: str, target: str) -> list[Script]:
    """Return the applied revisions that `downgrade` would revert, newest first. Changes nothing.

    Raises:
        UserError: the target is unknown, or applied revisions of other branches depend on what would be reverted.
    """
    found = branches(configuration(url, needs_metadata=False))
    heads = current_heads(url)
    require_known(found, heads)
    applied = found.applied(heads)
    removed = list(found.revisions) if target == "base" else _reverted(found, target)
    if target != "base":
        blocking = [revision for revision in found.dependents(removed) if revision.revision in applied]
        if blocking:
            names = "\n".join(
                f"  {found.name_of(it)}: {it.revision} ({it.doc}), {relative(it.path)}" for it in blocking
            )
            raise UserError(
                f"Other revisions depend on those that {target} would revert:\n{names}\n"
                "Revert them first. If they don't use these tables, remove the id from their `depends_on`."
            )
    return [revision for revision in reversed(removed) if revision.revision in applied]


def merge(url: str, message: str, *, module: str | None = None) -> tuple[str, list[str]] | None:
    """Write a revision that joins a branch's newest revisions. It suits a database with none, some or all of them.

    Returns:
        The file, and what `upgrade` will apply to this database; `None` when there is nothing to merge.

    Raises:
        UserError: the database has revisions whose files are missing.
    """
    config = configuration(url, needs_metadata=False)
    name = module or OWN
    if name == OWN:
        unlabel_all_but_one(name)
    found = branches(config)
    database = current_heads(url)
    require_known(found, database)
    heads = found.heads(name)
    if len(heads) < 2:  # noqa: PLR2004 - one has nothing to be merged with
        return None
    command.merge(config, [head.revision for head in heads], message)
    merged = branches(configuration(url, needs_metadata=False))
    written = merged.head(name)
    assert written is not None  # noqa: S101 - it was just written
    applied = merged.applied(database)
    pending = [it.revision for it in merged.revisions if it.revision not in applied]
    return written.path, pending


def _repair(url: str, found: Branches, heads: Sequence[str], report: Report) -> None:
    for id_ in sorted(repair(url, found, heads)):
        report.note(f"Repaired the database's record: {id_} was listed beside a revision that includes it.")


def _require_tables(url: str, metadata: MetaData, unknown: Sequence[str]) -> None:
    missing = on_database(url, lambda connection: lacking(connection, metadata))
    if missing:
        raise UserError(
            f"The database has revisions whose files are not in migrations/versions ({', '.join(unknown)}), and lacks "
            f"what this code uses: {', '.join(missing)}. Deploy code that has both."
        )


def _steps(found: Branches, target: str) -> list[str]:
    """Return the targets for Alembic: it reverts a branch with two beginnings only from each of them."""
    name, _, to = target.partition("@")
    roots = [it.revision for it in found.line(name) if it.down_revision is None] if to == "base" else []
    return [f"{root}@base" for root in roots] if len(roots) > 1 else [target]


def _reverted(found: Branches, target: str) -> list[Script]:
    """Return the revisions that a downgrade to the target reverts within its branch."""
    match = re.fullmatch(r"([A-Za-z0-9_]+)@(base|-[1-9][0-9]*)", target)
    if match and match[1] in found.names:
        line = found.line(match[1])
        if match[2] == "base":
            return line
        removed = line[int(match[2]) :]
        found.head(match[1])
        if any(len(as_tuple(revision.down_revision)) > 1 for revision in removed):
            raise UserError(f"{target} would revert a merge. Give the id of the revision to keep instead.")
        return removed
    for revision in found.revisions:
        if revision.revision == target:
            return found.descendants(revision)
    raise UserError(
        f"{target} is neither NAME@base, NAME@-1, a revision's id nor base. The names are: {', '.join(found.names)}."
    )
