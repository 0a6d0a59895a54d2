"""Runs inside a rendered project: its commands and its database, through a real PgBouncer in transaction mode."""

import asyncio
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.config.database_url import normal_url
from app.core.config.settings import Settings
from app.core.db.database import Database, create_database
from app.dev.servers.children import command_line, start, stop
from app.dev.servers.postgres import private_postgres
from app.migrate import migrations
from app.migrate.differences import differences
from sqlalchemy import text

SESSIONS, TASKS = 800, 20
CONFIG = """\
[databases]
app = host={sockets} dbname=postgres user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
"""


@contextmanager
def pgbouncer(program: str, sockets: Path, folder: Path) -> Iterator[str]:
    """Run PgBouncer before the server, and yield the URL that goes through it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "pgbouncer.ini"
    config.write_text(CONFIG.format(sockets=sockets, port=port))
    # Like PostgreSQL, it refuses to run as root: it becomes the user whom the server's socket belongs to.
    process = start(command_line([program, "-q", str(config)], owned=[folder, sockets]), folder / "pgbouncer.log")
    try:
        wait_for(port)
        yield f"postgresql://postgres@127.0.0.1:{port}/app?pgbouncer=true"
    finally:
        stop(process)


def wait_for(port: int) -> None:
    """Return once something listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
        else:
            return


async def use(url: str) -> int:
    """Open many sessions with two statements each, and return how many failed."""
    os.environ |= {"PROJECT_NAME": "Test", "SECRET_KEY": os.urandom(32).hex(), "DATABASE_URL": url}
    database = create_database(Settings())

    async def work(count: int) -> int:
        return sum([await one_fails(database) for _ in range(count)])

    failed = sum(await asyncio.gather(*(work(SESSIONS // TASKS) for _ in range(TASKS))))
    await database.dispose()
    return failed


async def one_fails(database: Database) -> bool:
    """Read with two statements and write with one."""
    try:
        async with database.reading() as session:
            await session.execute(text("SELECT count(*) FROM users WHERE is_active = :active"), {"active": True})
            await session.execute(text("SELECT count(*) FROM users WHERE email = :email"), {"email": "a"})
        async with database.transaction() as session:
            await session.execute(text("UPDATE users SET is_active = :active"), {"active": True})
    except Exception as error:  # noqa: BLE001 - counted, and shown
        print(repr(error), file=sys.stderr)
        return True
    return False


def main(program: str) -> None:
    """Migrate up, down and up, compare, and use the database."""
    with (
        tempfile.TemporaryDirectory() as folder,
        private_postgres(Path(folder) / "postgres" / "data", durable=False) as server,
        tempfile.TemporaryDirectory() as other,
        pgbouncer(program, server.sockets, Path(other)) as url,
    ):
        normal = normal_url(url)
        for _ in range(3):
            migrations.upgrade(normal)
        migrations.downgrade(normal, "base")
        migrations.upgrade(normal)
        assert differences(normal).lines == []
        assert asyncio.run(use(normal)) == 0


main(sys.argv[1])
