import asyncio
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.dev.servers.postgres import PrivateServer, private_postgres, running_server
from app.kit.user_error import UserError
from tests.databases import apart
from tests.dev.project import SECONDS, is_gone


def ask(server: PrivateServer, statement: str) -> object:
    """The answer to one statement."""
    answers: list[object] = []

    async def connect() -> None:
        engine = create_async_engine(server.url(), poolclass=NullPool)
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            answers.append(result.scalar() if result.returns_rows else None)
        await engine.dispose()

    apart(lambda: asyncio.run(connect()))
    return answers[0]


class TestStart:
    def test_keeps_its_data(self, tmp_path: Path) -> None:
        data = tmp_path / "postgres"
        with private_postgres(data, durable=False) as server:
            ask(server, "CREATE TABLE kept AS SELECT 42 AS number")
            assert running_server(data) == server
        assert running_server(data) is None
        with private_postgres(data, durable=False) as server:
            assert ask(server, "SELECT number FROM kept") == 42

    def test_repeats_an_interrupted_start(self, tmp_path: Path) -> None:
        half = tmp_path / "postgres.new"
        half.mkdir(mode=0o700)
        (half / "PG_VERSION").write_text("18\n")
        with private_postgres(tmp_path / "postgres", durable=False) as server:
            assert ask(server, "SELECT 1") == 1
        assert not half.exists()

    def test_does_not_touch_a_foreign_folder(self, tmp_path: Path) -> None:
        (tmp_path / "postgres").mkdir()
        (tmp_path / "postgres" / "thesis.txt").write_text("precious")
        with pytest.raises(UserError, match="not a PostgreSQL data folder"), private_postgres(tmp_path / "postgres"):
            pass
        assert (tmp_path / "postgres" / "thesis.txt").read_text() == "precious"

    def test_does_not_touch_data_of_another_version(self, tmp_path: Path) -> None:
        data = tmp_path / "postgres"
        data.mkdir()
        (data / "PG_VERSION").write_text("12\n")
        with pytest.raises(UserError, match=r"by PostgreSQL 12, but .*(\n.*)*pg_dump"), private_postgres(data):
            pass

    def test_prints_the_error_of_a_server_that_does_not_start(self, tmp_path: Path) -> None:
        data = tmp_path / "postgres"
        with private_postgres(data, durable=False):
            pass
        (data / "postgresql.conf").write_text("nonsense = 1\n")
        with pytest.raises(UserError, match=r"did not start.*(\n.*)*nonsense"), private_postgres(data):
            pass

    def test_refuses_other_users(self, tmp_path: Path) -> None:
        with private_postgres(tmp_path / "postgres", durable=False) as server:
            assert server.sockets.stat().st_mode & 0o077 == 0
            assert ask(server, "SHOW listen_addresses") == ""


class TestEnd:
    def test_follows_a_killed_parent(self, tmp_path: Path) -> None:
        data = tmp_path / "postgres"
        script = (
            "import sys, pathlib; from app.dev.servers.postgres import private_postgres\n"
            "with private_postgres(pathlib.Path(sys.argv[1]), durable=False): print('ready', flush=True); input()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, str(data)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "ready\n"
            pid = int((data / "postmaster.pid").read_text().split()[0])
            parent.kill()
        assert is_gone(pid)
        with private_postgres(data, durable=False) as server:
            assert ask(server, "SELECT 1") == 1

    def test_follows_the_closed_pipe_on_other_kernels(self) -> None:
        # A shell's background jobs, which these tests may be one of, ignore SIGINT, as all that they start.
        script = (
            "import sys; from app.dev.servers.child_process import watch\n"
            "from signal import SIGINT, SIG_DFL, signal; signal(SIGINT, SIG_DFL)\n"
            "sys.exit(watch([sys.executable, '-c', sys.argv[1]]))"
        )
        # With Python's own handler, a signal between the two statements would be lost, and the pause endless.
        paused = (
            "from signal import SIGINT, SIG_DFL, pause, signal; signal(SIGINT, SIG_DFL); print(1, flush=True); pause()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script, paused],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as watcher:
            try:
                assert watcher.stdin is not None
                assert watcher.stdout is not None
                assert watcher.stdout.readline() == "1\n"
                watcher.stdin.close()
                assert watcher.wait(SECONDS) != 0
            finally:
                watcher.kill()
