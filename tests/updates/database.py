"""The database of a rendered project, reached through the commands that its user has."""

import json
import os
import secrets
import subprocess
from pathlib import Path

from omnistack.shell.process import LEAKING_VARIABLES

from tests.updates.workshop import Project

# All steps in one process: importing the application takes longer than most of them.
STEPS = '''\
"""Run commands of `app`, and statements of SQL; print what each says."""

import asyncio
import json
import sys

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from app.cli.database import database_url
from app.cli.main import cli


async def execute(url: str, statement: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        result = await connection.execute(text(statement))
        if result.returns_rows:
            print(*(" ".join(map(str, row)) for row in result), sep="\\n")
    await engine.dispose()


for step in json.loads(sys.argv[1]):
    if isinstance(step, list):
        cli.main(step, prog_name="app", standalone_mode=False)
    else:
        with database_url("test") as url:
            asyncio.run(execute(url, step))
    sys.stdout.flush()
'''
# Keys are written without hyphens, as SQLite keeps them; PostgreSQL reads that too.
NEW_USER = """
    INSERT INTO users (id, created_at, updated_at, email, role, is_active) VALUES
    ('00000000000070008000000000000001', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00', 'me@example.com',
    'user', true)
"""
NEW_PROJECT = """
    INSERT INTO projects (id, created_at, updated_at, owner_id, name) VALUES
    ('00000000000070008000000000000002', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00',
    '00000000000070008000000000000001', 'Mine')
"""
NEW_INVOICE = """
    INSERT INTO invoices (id, created_at, updated_at, owner_id, cents) VALUES
    ('00000000000070008000000000000003', '2026-01-01 00:00:00+00:00', '2026-01-01 00:00:00+00:00',
    '00000000000070008000000000000001', 990)
"""
THE_USERS_ROWS = ["SELECT email FROM users", "SELECT cents FROM invoices"]
ROWS = ["me@example.com", "990"]


class Database:
    """A project's database."""

    def __init__(self, made: Project, python: Path, url: str) -> None:
        self._made, self._python = made, python
        kept = {name: value for name, value in os.environ.items() if name not in LEAKING_VARIABLES}
        self._environment = kept | {
            "DATABASE_URL": url,
            "ENVIRONMENT": "local",
            "PROJECT_NAME": "Updates",
            "SECRET_KEY": secrets.token_hex(32),
        }

    def run(self, *steps: list[str] | str) -> str:
        """Run commands of `app` (lists) and statements (strings), in order; give what they print."""
        done = subprocess.run(
            [self._python, "-c", STEPS, json.dumps(steps)], cwd=self._made.root, env=self._environment,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def app(self, *arguments: str) -> str:
        """Run the command `app`."""
        return self.run(list(arguments))

    def sql(self, *statements: str) -> list[str]:
        """Run statements and give the rows."""
        return self.run(*statements).splitlines()
