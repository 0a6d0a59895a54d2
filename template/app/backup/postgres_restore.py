"""Restore a dump into a PostgreSQL database, in one transaction: all of it, or nothing.

pg_restore turns the dump into SQL. psql runs it between a BEGIN and a COMMIT that is sent only once the whole backup
has been checked. The same transaction drops the previous tables: if anything fails, they remain.
"""

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Final

from app.backup.archive import READ_SIZE
from app.backup.client_programs import ClientPrograms
from app.backup.errors import BackupError
from app.backup.postgres_catalog import ADVISORY_LOCK
from app.backup.postgres_dump import last_message, stop

LOCK_TIMEOUT: Final = 30
NEWER_SETTINGS: Final = {"transaction_timeout": 17}
"""Settings that pg_restore sets, and the server's version that introduced them."""
BEGIN: Final = f"""\
\\set QUIET on
BEGIN;
SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s';
DO $restore$
BEGIN
    IF NOT pg_try_advisory_xact_lock({ADVISORY_LOCK}) THEN
        RAISE EXCEPTION 'another restore is running' USING ERRCODE = 'XX901';
    END IF;
END $restore$;
"""
DROP: Final = """\
DO $restore$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT format(
            'DROP %s IF EXISTS public.%I CASCADE',
            CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
                WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END,
            c.relname
        ) AS statement
        FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
            -- Extensions' objects (e) remain. Internal ones (i), such as an identity's sequence, go with their owner.
            AND NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
                    AND d.deptype IN ('e', 'i')
            )
    LOOP
        EXECUTE found.statement;
    END LOOP;
    FOR found IN
        SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', p.oid::regprocedure) AS statement
        FROM pg_proc p
        WHERE p.pronamespace = 'public'::regnamespace
            AND NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i')
            )
    LOOP
        EXECUTE found.statement;
    END LOOP;
    FOR found IN
        SELECT format('DROP TYPE IF EXISTS public.%I CASCADE', t.typname) AS statement
        FROM pg_type t
        WHERE t.typnamespace = 'public'::regnamespace AND (t.typtype IN ('e', 'd', 'r')
            OR (t.typtype = 'c' AND EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind = 'c')))
            AND NOT EXISTS (
                SELECT FROM pg_depend d
                WHERE d.classid = 'pg_type'::regclass AND d.objid = t.oid AND d.deptype = 'e'
            )
    LOOP
        EXECUTE found.statement;
    END LOOP;
END $restore$;
"""
ADVICE: Final = {
    "XX901": "Another restore is running. Wait until it has ended.",
    "XX902": "The restored tables have other numbers of rows than the backup's manifest.",
    "55P03": "Other sessions use the tables. Stop the application and its workers, then try again.",
    "53100": "The disk of the database server is full.",
    "42501": "The user of DATABASE_URL lacks a privilege; it must own the tables and may create in the schema public.",
    "57P01": "The database server closed the connection.",
}
RESTRICTED: Final = b"\n\\restrict "
"""A line that pg_restore writes first, since the minor versions of August 2025. Until the end of its script, psql then
refuses the commands that a manipulated dump may contain, such as `\\!`, which runs a program (CVE-2025-8714)."""
MAX_MESSAGE: Final = 300
_ERROR: Final = re.compile(r"(?:ERROR|FATAL|PANIC): +(?P<code>[0-9A-Z]{5}): (?P<message>.*)")


class PostgresRestore:
    """A running restore. Call `write` for each part of the dump, then `finish`, which commits. `close` always.

    Args:
        programs: of the server's version or newer.
        variables: see `connection_variables`.
        server_major: the server's version.
        extensions: the extensions that the dump needs.
    """

    def __init__(
        self, programs: ClientPrograms, variables: dict[str, str], *, server_major: int, extensions: Sequence[str]
    ) -> None:
        self._messages = {name: tempfile.TemporaryFile() for name in ("psql", "pg_restore")}  # noqa: SIM115 - `close`
        self._removed = [
            f"SET {name} = 0;\n".encode() for name, since in NEWER_SETTINGS.items() if server_major < since
        ]
        self._psql = subprocess.Popen(  # noqa: S603 - our own command line
            [
                programs.path("psql"),
                "--no-psqlrc",
                "--no-password",
                "--quiet",
                "--set=ON_ERROR_STOP=1",
                # The code, without lines of the data.
                "--set=VERBOSITY=verbose",
                "--set=SHOW_CONTEXT=never",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages["psql"],
            env=variables,
        )
        self._restore = subprocess.Popen(  # noqa: S603
            [programs.path("pg_restore"), "--no-owner", "--no-privileges", "--schema=public", "--file=-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages["pg_restore"],
            env=variables,
        )
        self._is_restricted = True
        self._pump = Thread(target=self._pass_on, daemon=True)
        self._send((BEGIN + DROP + _creating(extensions)).encode())
        self._pump.start()

    def write(self, content: bytes) -> None:
        """Restore a part of the dump."""
        try:
            _input(self._restore).write(content)
        except BrokenPipeError:
            self._fail()

    def end(self) -> None:
        """Wait until all parts are restored. Nothing is committed yet."""
        try:
            _input(self._restore).close()
        except BrokenPipeError:
            self._fail()
        self._pump.join()
        if self._restore.wait() != 0 or self._psql.poll() is not None or not self._is_restricted:
            self._fail()

    def commit(self, tables: Mapping[str, int]) -> None:
        """Commit, if every table has its number of rows."""
        self._send(f"{_counting(tables)}COMMIT;\n".encode())
        try:
            _input(self._psql).close()
        except BrokenPipeError:
            self._fail()
        if self._psql.wait() != 0:
            self._fail()

    def close(self) -> None:
        """End the programs. What was not committed is rolled back."""
        for process in (self._restore, self._psql):
            stop(process)
        self._pump.join()
        for stream in (self._psql.stdin, self._restore.stdin, self._restore.stdout, *self._messages.values()):
            if stream is not None:
                # It may have buffered bytes for a program that has ended.
                with suppress(BrokenPipeError):
                    stream.close()

    def _pass_on(self) -> None:
        source = self._restore.stdout
        assert source is not None  # noqa: S101 - a pipe
        first = True
        try:
            while chunk := source.read(READ_SIZE):
                if first:
                    if RESTRICTED not in chunk:
                        self._is_restricted = False
                        source.close()
                        return
                    # The settings stand at the beginning of the script.
                    for line in self._removed:
                        chunk = chunk.replace(line, b"", 1)
                    first = False
                _input(self._psql).write(chunk)
        except (BrokenPipeError, ValueError):
            # psql has stopped at an error, or was closed. Without a reader, pg_restore stops as well.
            source.close()

    def _send(self, script: bytes) -> None:
        try:
            _input(self._psql).write(script)
            _input(self._psql).flush()
        except BrokenPipeError:
            self._fail()

    def _fail(self) -> None:
        stop(self._restore)
        self._pump.join()
        with suppress(BrokenPipeError):
            _input(self._psql).close()
        self._psql.wait()
        reason = _reason(self._messages["psql"]) or f"pg_restore failed: {last_message(self._messages['pg_restore'])}"
        if not self._is_restricted:
            reason = "pg_restore is too old to be safe (CVE-2025-8714). Install PostgreSQL's newest minor version."
        raise BackupError(f"The restore failed and was rolled back. {reason} The database is as it was before.")


def _input(process: subprocess.Popen[bytes]) -> IO[bytes]:
    assert process.stdin is not None  # noqa: S101 - a pipe
    return process.stdin


def _creating(extensions: Sequence[str]) -> str:
    return "".join(f'CREATE EXTENSION IF NOT EXISTS "{name}" WITH SCHEMA public;\n' for name in extensions)


def _counting(tables: Mapping[str, int]) -> str:
    """Return a statement that fails if a table has another number of rows. The manifest's names are restricted."""
    checks = "".join(
        f'    IF (SELECT count(*) FROM public."{name}") <> {count} THEN\n'  # noqa: S608 - see above
        "        RAISE EXCEPTION 'wrong number of rows' USING ERRCODE = 'XX902';\n    END IF;\n"
        for name, count in tables.items()
    )
    return f"DO $restore$\nBEGIN\n{checks}END $restore$;\n" if checks else ""


def _reason(messages: IO[bytes]) -> str:
    """Return psql's first error. Errors about rows are reduced to their code, as their text may show values."""
    messages.seek(0)
    text = messages.read(64 * 1024).decode(errors="replace")
    match = _ERROR.search(text)
    if match is None:
        lines = text.strip().splitlines()
        return f"psql: {lines[-1][:MAX_MESSAGE]}." if lines else ""
    if match["code"] in ADVICE:
        return ADVICE[match["code"]]
    if match["code"][:2] in {"22", "23"}:
        return f"A row of the backup was refused (SQLSTATE {match['code']})."
    return f"PostgreSQL refused: {match['message'][:MAX_MESSAGE].rstrip('.')} (SQLSTATE {match['code']})."
