"""Dump a PostgreSQL database with pg_dump, as of one moment."""

import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import IO, Final

from sqlalchemy import text

from app.backup.archive import READ_SIZE
from app.backup.client_programs import client_programs, connection_variables
from app.backup.errors import BackupError
from app.backup.postgres_catalog import current_revisions, extensions, row_counts, server_version
from app.backup.snapshot import Snapshot
from app.core.db.engine import command_engine

LOCK_TIMEOUT: Final = 60
"""Seconds that pg_dump waits for a table that a migration has locked."""
MAX_MESSAGE: Final = 600
STOP_TIMEOUT: Final = 10.0


@asynccontextmanager
async def postgres_snapshot(url: str) -> AsyncIterator[Snapshot]:
    """Hold a snapshot of the database until the end of the block. Others can write meanwhile.

    Raises:
        BackupError: pg_dump is not installed, or the URL leads to a pooler.
    """
    variables = connection_variables(url)
    engine = command_engine(url)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("SET idle_in_transaction_session_timeout = 0"))
            await connection.execute(text("SET statement_timeout = 0"))
            await connection.commit()
            await connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
            snapshot = (await connection.execute(text("SELECT pg_export_snapshot()"))).scalar_one()
            major, version = await server_version(connection)
            command = [
                client_programs(major).path("pg_dump"),
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                "--schema=public",
                f"--snapshot={snapshot}",
                f"--lock-wait-timeout={LOCK_TIMEOUT}s",
            ]
            yield Snapshot(
                kind="postgresql",
                server_version=version,
                extensions=await extensions(connection),
                revisions=await current_revisions(connection),
                tables=await row_counts(connection),
                dump=lambda: _output(command, variables),
            )
    finally:
        await engine.dispose()


def _output(command: Sequence[str], variables: dict[str, str]) -> Iterator[bytes]:
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, env=variables
        )
        assert process.stdout is not None  # noqa: S101 - a pipe
        try:
            while chunk := process.stdout.read(READ_SIZE):
                yield chunk
            if process.wait() != 0:
                raise BackupError(f"pg_dump failed: {last_message(errors)} The backup was not written.")
        finally:
            stop(process)
            process.stdout.close()


def last_message(errors: IO[bytes]) -> str:
    """Return the last line of a program's standard error. It names tables, but shows no rows."""
    errors.seek(0)
    lines = errors.read(64 * 1024).decode(errors="replace").strip().splitlines()
    return (lines[-1][:MAX_MESSAGE] if lines else "it says no more").rstrip(".") + "."


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program that still runs."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
