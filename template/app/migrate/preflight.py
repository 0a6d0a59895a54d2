"""Checks of a PostgreSQL server before a migration in production. They only read."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from app.migrate.exclusive import migrating_process

MIN_VERSION: Final = 14
LONG_TRANSACTION: Final = 60
"""Seconds from which a transaction counts as long: locks and concurrent index builds have to wait for it."""
HELD_LOCK: Final = 5
"""Seconds from which a lock on a table concerned counts as held, and not as one of a request."""
MAX_LAG: Final = 60
"""Seconds that a replica may be behind."""
MAX_RETAINED: Final = 2 * 1024**3
"""Bytes of write-ahead log that an unused replication slot may retain. They fill the server's disk."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason not to migrate now.

    Attributes:
        check: the name of the check, for `--ignore`.
        message: what was found and what to do.
    """

    check: str
    message: str


def doubts(connection: Connection, tables: Collection[str]) -> list[Doubt]:
    """Run all checks.

    Args:
        connection: a connection to the database.
        tables: the tables that the pending revisions change.
    """
    checks: dict[str, Callable[[Connection, Collection[str]], Iterator[str]]] = {
        "server": _server,
        "migrating": _migrating,
        "long-transactions": _long_transactions,
        "locks": _locks,
        "replicas": _replicas,
        "disk": _disk,
    }
    return [Doubt(name, message) for name, check in checks.items() for message in check(connection, tables)]


def sizes(connection: Connection, tables: Collection[str]) -> str:
    """Return the size of the database and of the largest table concerned. PostgreSQL does not show the free space."""
    database = connection.scalar(text("SELECT pg_size_pretty(pg_database_size(current_database()))"))
    largest = connection.execute(
        text(
            "SELECT relname, pg_size_pretty(pg_total_relation_size(oid)) FROM pg_class "
            "WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND relname = ANY(:tables) "
            "ORDER BY pg_total_relation_size(oid) DESC LIMIT 1"
        ),
        {"tables": sorted(tables)},
    ).first()
    table = f"; the largest table concerned, {largest[0]}, has {largest[1]}" if largest else ""
    return f"The database has {database}{table}. A rewritten table or a new index needs as much space again."


def _server(connection: Connection, _tables: Collection[str]) -> Iterator[str]:
    version = connection.scalar(text("SELECT current_setting('server_version_num')::int")) or 0
    if version // 10_000 < MIN_VERSION:
        yield f"The server is PostgreSQL {version // 10_000}; the oldest supported version is {MIN_VERSION}."
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        yield "The server is a read-only replica. Set DATABASE_URL to the primary server."
    elif connection.scalar(text("SELECT current_setting('transaction_read_only')")) == "on":
        yield "Transactions are read-only here (default_transaction_read_only), as after a full disk or a failover."


def _migrating(connection: Connection, _tables: Collection[str]) -> Iterator[str]:
    process = migrating_process(connection)
    if process is not None:
        yield f"Another migration is running (process {process}). Wait until it has ended."
    building = text("SELECT pid, index_relid::regclass::text FROM pg_stat_progress_create_index WHERE index_relid <> 0")
    for pid, index in connection.execute(building):
        yield f"Process {pid} is building the index {index}. Wait, or end it: SELECT pg_cancel_backend({pid});"


def _long_transactions(connection: Connection, _tables: Collection[str]) -> Iterator[str]:
    statement = text(
        "SELECT pid, application_name, state, extract(epoch FROM clock_timestamp() - xact_start)::int "
        "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
        "AND backend_type = 'client backend' AND (backend_xid IS NOT NULL OR backend_xmin IS NOT NULL) "
        "AND xact_start < clock_timestamp() - make_interval(secs => :seconds) ORDER BY xact_start"
    )
    for pid, name, state, age in connection.execute(statement, {"seconds": LONG_TRANSACTION}):
        yield (
            f"Process {pid} ({name or 'no application_name'}, {state}) has had a transaction open for {age} s. "
            + _ending(pid)
        )
    prepared = text("SELECT gid FROM pg_prepared_xacts WHERE database = current_database()")
    for gid in connection.scalars(prepared):
        yield f"The prepared transaction {gid} is open. Commit it or roll it back: ROLLBACK PREPARED '{gid}';"


def _locks(connection: Connection, tables: Collection[str]) -> Iterator[str]:
    statement = text(
        "SELECT DISTINCT l.pid, c.relname, l.mode, a.backend_type FROM pg_locks l "
        "JOIN pg_class c ON c.oid = l.relation AND c.relname = ANY(:tables) "
        "JOIN pg_stat_activity a ON a.pid = l.pid "
        "WHERE l.granted AND l.pid <> pg_backend_pid() "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND a.xact_start < clock_timestamp() - make_interval(secs => :seconds)"
    )
    for pid, table, mode, kind in connection.execute(statement, {"tables": sorted(tables), "seconds": HELD_LOCK}):
        yield (f"Process {pid} ({kind}) holds {mode} on {table}, which a pending revision changes. " + _ending(pid))


def _ending(pid: int) -> str:
    return f"Wait, or end it: SELECT pg_terminate_backend({pid});"


def _replicas(connection: Connection, _tables: Collection[str]) -> Iterator[str]:
    statement = text("SELECT application_name, state, extract(epoch FROM replay_lag)::int FROM pg_stat_replication")
    for name, state, lag in connection.execute(statement):
        if (lag or 0) > MAX_LAG:
            yield f"The replica {name} ({state}) is {lag} s behind. Wait until it has caught up."


def _disk(connection: Connection, _tables: Collection[str]) -> Iterator[str]:
    statement = text(
        "SELECT slot_name, pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)) "
        "FROM pg_replication_slots WHERE NOT active AND NOT pg_is_in_recovery() "
        "AND pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > :bytes"
    )
    if connection.scalar(text("SELECT pg_is_in_recovery()")):
        return
    for slot, retained in connection.execute(statement, {"bytes": MAX_RETAINED}):
        yield (
            f"The unused replication slot {slot} retains {retained} of write-ahead log, which fills the disk. "
            f"Connect its replica, or drop it: SELECT pg_drop_replication_slot('{slot}');"
        )
