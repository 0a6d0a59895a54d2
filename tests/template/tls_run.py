"""Runs inside a rendered project: its database and migrations, through a PostgreSQL that accepts only TLS."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core.config.database_url import normal_url
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.dev.servers.children import command_line, log_tail, start, stop
from app.migrate import migrations
from sqlalchemy import text

SECONDS = 30
SECRETS = {"PROJECT_NAME": "Test", "SECRET_KEY": os.urandom(32).hex()}


@contextmanager
def postgres(programs: Path, folder: Path) -> Iterator[int]:
    """Run a server with a certificate for `localhost`, and yield its port."""
    data, certificate, key = folder / "data", folder / "certificate.pem", folder / "data" / "key.pem"
    data.mkdir(mode=0o700)
    initdb = [str(programs / "initdb"), "--auth=trust", "--username=postgres", "--no-sync", "-D", str(data)]
    subprocess.run(command_line(initdb, owned=[folder, data]), check=True, stdout=subprocess.DEVNULL)
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*request, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    owner = data.stat()
    os.chown(key, owner.st_uid, owner.st_gid)
    key.chmod(0o600)
    certificate.chmod(0o644)
    (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\nhostssl all all ::1/128 trust\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    options = {
        "port": port,
        "ssl": "on",
        "ssl_cert_file": certificate,
        "ssl_key_file": key,
        "listen_addresses": "localhost",
        "unix_socket_directories": "",
        "fsync": "off",
    }
    server = [str(programs / "postgres"), "-D", str(data)]
    server += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    log = folder / "server.log"
    process = start(command_line(server, owned=[folder, data]), log)
    try:
        wait_for(data / "postmaster.pid", log)
        yield port
    finally:
        stop(process)


def wait_for(status: Path, log: Path) -> None:
    """Return once the server is ready."""
    deadline = time.monotonic() + SECONDS
    while not status.exists() or "ready" not in status.read_text():
        if time.monotonic() > deadline:
            raise TimeoutError(log_tail(log))
        time.sleep(0.05)


async def is_encrypted(url: str) -> bool:
    """Return whether a session's connection is encrypted; also false if it cannot be opened."""
    os.environ |= SECRETS | {"DATABASE_URL": url}
    database = create_database(Settings())
    try:
        async with database.reading() as session:
            found = await session.scalar(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"))
            return bool(found)
    except Exception as error:  # noqa: BLE001 - shown, and compared
        print(url, repr(error)[:300], file=sys.stderr)
        return False
    finally:
        await database.dispose()


def main(programs: str) -> None:
    """Connect with each form."""
    with tempfile.TemporaryDirectory() as temporary, postgres(Path(programs), Path(temporary)) as port:
        root = f"sslrootcert={temporary}/certificate.pem"
        expected = {
            "localhost sslmode=require": True,
            "localhost sslmode=no-verify": True,
            f"localhost sslmode=require&{root}": True,
            f"localhost sslmode=verify-full&{root}": True,
            f"127.0.0.1 sslmode=verify-ca&{root}": True,
            f"127.0.0.1 sslmode=verify-full&{root}": False,
            "localhost sslmode=verify-full": False,
            "localhost sslmode=verify-full&sslrootcert=system": False,
            "localhost sslmode=disable": False,
        }
        urls = {form: f"postgresql://postgres@{form.replace(' ', f':{port}/postgres?')}" for form in expected}
        found = {form: asyncio.run(is_encrypted(url)) for form, url in urls.items()}
        assert found == expected, found
        migrations.upgrade(normal_url(urls[f"localhost sslmode=verify-full&{root}"]))


main(sys.argv[1])
