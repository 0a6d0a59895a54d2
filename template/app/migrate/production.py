"""Migrate a PostgreSQL database that is in use: check, apply one revision after another, stop at the first doubt."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from alembic import command
from alembic.script import Script
from sqlalchemy import Connection, MetaData
from sqlalchemy.exc import DBAPIError

from app.kit.user_error import UserError
from app.migrate import indexes, migration_log
from app.migrate.breaking import breaking
from app.migrate.database_state import current_heads, on_database, require_known
from app.migrate.exclusive import exclusive
from app.migrate.preflight import Doubt, doubts, sizes
from app.migrate.release_schema import ReleaseSchema, broken, release_schema
from app.migrate.script_files import Say, branches, configuration, relative
from app.migrate.statements import commits, concurrent_indexes, is_mixed, sql_of, tables_in

DATA_EXCEPTION: Final = "22"
"""The class of SQLSTATE whose messages quote values of rows. Others quote names, and values in details only."""
QUOTED: Final = re.compile(r'".*"', re.DOTALL)
MIXED_REVISION: Final = "mixed-revision"
BREAKS_RELEASE: Final = "breaks-running-release"
"""The key of a revision's `accepted` for a revision that needs a maintenance window."""
MIXED: Final = (
    "It has statements inside and outside of a transaction. If one fails, those before it remain, and the revision "
    "cannot be applied again. Move those outside (autocommit_block) into a revision of their own."
)
TWO_RELEASES: Final = "Do it in two releases: docs/migrations-in-production.md."


class RefusedError(UserError):
    """A check failed. Nothing was changed."""


class StoppedError(UserError):
    """A revision failed. It was rolled back; those before it are applied."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The changes that a migration in production would make.

    Attributes:
        pending: the revisions, in the order in which they are applied.
        sql: their SQL by id.
        doubts: the reasons not to apply them now.
        rebuilt: the invalid indexes that are dropped first, because a pending revision builds them again.
        release: the schema that the running release uses, if it is recorded.
        notes: other findings.
    """

    pending: list[Script]
    sql: dict[str, str]
    doubts: list[Doubt]
    rebuilt: list[str] = field(default_factory=list)
    release: ReleaseSchema | None = None
    notes: list[str] = field(default_factory=list)


@contextmanager
def alone(url: str) -> Iterator[None]:
    """Exclude other migrations in production during the block.

    Raises:
        RefusedError: another one is running.
    """
    with exclusive(url) as is_free:
        if not is_free:
            raise RefusedError("Another `app db migrate-production` is running. Nothing was changed.")
        yield


def make_plan(url: str) -> Plan:
    """Check the server and the pending revisions. Changes nothing.

    Raises:
        UserError: a branch has two newest revisions, or the database has revisions whose files are missing.
    """
    found = branches(configuration(url, needs_metadata=False))
    heads = current_heads(url)
    require_known(found, heads)
    found.require_single_heads()
    applied = found.applied(heads)
    pending = [it for it in found.revisions if it.revision not in applied]
    sql = {it.revision: sql_of(it) for it in pending}
    return on_database(url, partial(_checked, pending=pending, sql=sql))


def _checked(connection: Connection, pending: list[Script], sql: dict[str, str]) -> Plan:
    if not pending:
        return Plan([], {}, [])
    tables = {table for statements in sql.values() for table in tables_in(statements)}
    release = migration_log.running_release(connection)
    notes = [sizes(connection, tables)]
    if release is None:
        notes.append("No running release is recorded yet, so revisions are not compared with its models this time.")
    found = doubts(connection, tables)
    for it in pending:
        if MIXED_REVISION not in accepted(it) and is_mixed(sql[it.revision]):
            found.append(Doubt(MIXED_REVISION, f"{relative(it.path)}: {MIXED}"))
        if release is not None and BREAKS_RELEASE not in accepted(it):
            found += [
                Doubt("running-release", f"{relative(it.path)}: {reason} {TWO_RELEASES}")
                for reason in breaking(sql[it.revision], release)
            ]
    built = {name for statements in sql.values() for name in concurrent_indexes(statements)}
    invalid = indexes.invalid_indexes(connection)
    found += [
        Doubt(
            "invalid-index",
            f"The index {name} is invalid, and no pending revision builds it. Run: REINDEX INDEX CONCURRENTLY {name};",
        )
        for name in invalid
        if name not in built
    ]
    return Plan(pending, sql, found, [name for name in invalid if name in built], release, notes)


def accepted(revision: Script) -> dict[str, str]:
    """Return the rules that a revision may break, with the reasons: its `accepted`.

    Raises:
        UserError: it is something else.
    """
    marker = getattr(revision.module, "accepted", {})
    if not isinstance(marker, dict):
        raise UserError(f'{relative(revision.path)}: write `accepted` as rules with reasons: {{"rule": "the reason"}}')
    return marker


def apply(url: str, plan: Plan, *, say: Say) -> None:
    """Apply the plan's revisions, each in a transaction of its own, and record them.

    Raises:
        StoppedError: a revision failed.
    """
    on_database(url, migration_log.create_tables)
    if plan.rebuilt:
        indexes.drop_indexes(url, plan.rebuilt)
        say(f"Dropped the invalid index {', '.join(plan.rebuilt)} of an interrupted build.")
    release = plan.release or {}
    known = set(on_database(url, partial(broken, release=release)))
    for revision in plan.pending:
        entry = on_database(url, partial(migration_log.start, revision=revision.revision))
        check = None if BREAKS_RELEASE in accepted(revision) else partial(_require_served, release=release, known=known)
        try:
            _apply_one(url, revision, entry, check, say)
        except (UserError, DBAPIError) as error:
            reason = _reason(error)
            on_database(url, partial(migration_log.finish, entry=entry, state="failed", detail=reason))
            raise StoppedError(
                f"Revision {revision.revision} failed{_remains(plan.sql[revision.revision])}: {reason}\n"
                "The revisions before it are applied. Mend it and run the command again; it continues here."
            ) from error
        if check is None:
            known |= set(on_database(url, partial(broken, release=release)))


def record_release(url: str, models: MetaData) -> None:
    """Record the models as those of the running release."""
    on_database(url, migration_log.create_tables)
    on_database(url, partial(migration_log.record_release, models=release_schema(models)))


def _apply_one(url: str, revision: Script, entry: int, check: Callable[[Connection], None] | None, say: Say) -> None:
    def before_commit(connection: Connection) -> None:
        if check is not None:
            check(connection)
        migration_log.finish(connection, entry, "applied")

    config = configuration(url, report=say, needs_metadata=False)
    config.attributes |= {"before_commit": before_commit, "retrying": say}
    command.upgrade(config, revision.revision)


def _require_served(connection: Connection, release: ReleaseSchema, known: set[str]) -> None:
    reasons = [reason for reason in broken(connection, release) if reason not in known]
    if reasons:
        raise UserError(f"{' '.join(reasons)} {TWO_RELEASES}")


def _remains(sql: str) -> str:
    """Return how much of a revision that failed remains."""
    return "; what it did outside of a transaction remains" if commits(sql) else " and was rolled back"


def _reason(error: UserError | DBAPIError) -> str:
    """Return the reason without values of rows: it goes into the log, and into the output of CI."""
    if not isinstance(error, DBAPIError):
        return str(error)
    # The driver's own message, without the class that SQLAlchemy puts before it.
    message = str(error.orig)
    if (getattr(error.orig, "sqlstate", None) or "").startswith(DATA_EXCEPTION):
        message = QUOTED.sub('"…"', message)
    return message.partition("\n")[0].rpartition("'>: ")[2]
