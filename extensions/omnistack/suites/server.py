"""One PostgreSQL server for all cells, with a database each: the template's own private server, run from its folder."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.process import error_line

STOP_SECONDS = 20

# Runs in template/, where `app` is the rendered project's package, and ends with its standard input.
SERVE = """
import pathlib, shlex, subprocess, sys
from app.dev.servers.postgres import private_postgres

data, *names = sys.argv[1:]
with private_postgres(pathlib.Path(data), durable=False) as server:
    for name in names:
        subprocess.run([*shlex.split(server.psql), "-qc", f'CREATE DATABASE "{name}"'], check=True)
    print(server.url("{}"), flush=True)
    sys.stdin.read()
"""


@contextmanager
def database_server(template: Path, data: Path, databases: Sequence[str]) -> Iterator[str]:
    """Run a server with these databases to the end of the block; yield a URL with `{}` in place of the name.

    Raises:
        OmniError: it could not be started.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, str(data), *databases],
        cwd=template,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None  # noqa: S101 - opened above
    assert process.stdout is not None  # noqa: S101
    url = process.stdout.readline().strip()
    try:
        if not url:
            _, said = process.communicate()
            raise OmniError(f"the suites' PostgreSQL did not start: {error_line(said)}", "run `uv sync` and try again")
        yield url
    finally:
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        if process.stderr is not None:
            process.stderr.close()
