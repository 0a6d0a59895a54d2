"""Empty a developer's database."""

from sqlalchemy import Connection, inspect, text

from app.migrate.database_state import on_database

# Tables of extensions, such as PostGIS's spatial_ref_sys, can only be dropped with their extension.
_TABLES = text(
    "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') "
    "AND NOT c.relispartition AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
)
# As regprocedure: quoted, and with the types of the arguments.
_FUNCTIONS = text(
    "SELECT p.oid::regprocedure::text FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace "
    "AND p.prokind IN ('f', 'p') AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
)
_TYPES = text("SELECT typname FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e'")


def drop_everything(url: str) -> None:
    """Drop every table of the database with its rows, and every function and enum type."""
    on_database(url, _drop)


def _drop(connection: Connection) -> None:
    quote = connection.dialect.identifier_preparer.quote
    if connection.dialect.name == "sqlite":
        for name in inspect(connection).get_table_names():
            connection.execute(text(f"DROP TABLE {quote(name)}"))
        return
    for statement, kind in ((_TABLES, "TABLE"), (_TYPES, "TYPE")):
        for name in connection.execute(statement).scalars().all():
            connection.execute(text(f"DROP {kind} IF EXISTS {quote(name)} CASCADE"))
    for signature in connection.execute(_FUNCTIONS).scalars().all():
        connection.exec_driver_sql(f"DROP ROUTINE IF EXISTS {signature} CASCADE")
