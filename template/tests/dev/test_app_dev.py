"""`app dev` from nothing, in a copy of this project."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.dev.project import SECONDS, Dev, Project, copy_project, is_gone
from tests.processes import KILL_SIGNAL

READY = "/api/v1/public/health/ready"
ME = "/api/v1/app/users/me"
GREETING = "Ctrl-C"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.fixture(scope="module")
def client(port: int) -> Iterator[httpx.Client]:
    # The socket accepts while a server is being replaced, so that a request waits for the new one.
    # A connection of its own for every request: the old server closes those that it has.
    limits = httpx.Limits(max_keepalive_connections=0)
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=SECONDS, limits=limits) as opened:
        yield opened


@pytest.fixture(scope="module")
def dev(project: Project, port: int) -> Iterator[Dev]:
    with project.dev("--port", str(port)) as running:
        yield running


class TestFirstStart:
    def test_prints_the_next_steps(self, dev: Dev, port: int) -> None:
        said = dev.read_until(GREETING)
        assert "Wrote .env" in said
        assert "Applied users_0001" in said
        assert f"http://127.0.0.1:{port}/docs" in said
        assert "uv run app token" in said

    def test_keeps_the_secrets_to_its_user(self, project: Project, dev: Dev) -> None:  # noqa: ARG002
        env = project.folder / ".env"
        assert env.stat().st_mode & 0o077 == 0
        assert "\nSECRET_KEY=\n" not in env.read_text()

    def test_serves(self, dev: Dev, client: httpx.Client) -> None:  # noqa: ARG002
        assert client.get(READY).status_code == 200

    def test_accepts_a_local_token(self, project: Project, dev: Dev, client: httpx.Client) -> None:  # noqa: ARG002
        token = project.run("token", "--email", "me@example.com").stdout.strip()
        answer = client.get(ME, headers={"Authorization": f"Bearer {token}"})
        assert answer.json()["email"] == "me@example.com"

    def test_shares_its_database_with_other_commands(self, project: Project, dev: Dev) -> None:  # noqa: ARG002
        done = project.run("user", "grant", "me@example.com", "admin")
        assert done.returncode == 0, done.stderr

    def test_refuses_a_second_one_in_the_same_folder(self, project: Project, dev: Dev, port: int) -> None:
        done = project.run("dev", "--port", str(port))
        assert done.returncode == 1
        assert done.stderr == (
            f"Error: `app dev` is already running here on http://127.0.0.1:{port}. Stop it with Ctrl-C there, or: "
            f"kill {dev.process.pid}\n"
        )

    def test_follows_a_change_and_survives_a_mistake(self, project: Project, dev: Dev, client: httpx.Client) -> None:
        kit = project.folder / "app" / "kit" / "__init__.py"
        main = project.folder / "app" / "main.py"
        whole = main.read_text()
        main.write_text("this is no Python")
        dev.read_until("The server has stopped")
        main.write_text(whole)
        dev.read_until("Reloading: app/main.py")
        assert client.get(READY).status_code == 200
        kit.write_text("# changed\n")
        dev.read_until("Reloading: app/kit/__init__.py")
        assert client.get(READY).status_code == 200
        with (project.folder / ".env").open("a") as settings:
            settings.write("# changed\n")
        dev.read_until(r"Reloading: \.env")
        assert client.get(READY).status_code == 200

    def test_leaves_no_process_after_ctrl_c(self, dev: Dev, port: int) -> None:
        database = dev.database_pid
        assert dev.end(signal.SIGINT) == 0
        assert is_gone(database)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))


class TestSecondStart:
    def test_keeps_the_data_and_leaves_no_process_when_killed(
        self, project: Project, port: int, client: httpx.Client
    ) -> None:
        with project.dev("--port", str(port)) as dev:
            assert "Applied" not in dev.read_until(GREETING)
            assert client.get(READY).status_code == 200
            database = dev.database_pid
            dev.end(KILL_SIGNAL)
            assert is_gone(database)
        users = project.run("user", "list")
        assert "me@example.com" in users.stdout


class TestPort:
    def test_that_is_in_use_suggests_a_free_one(self, project: Project) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            done = project.run("dev", "--port", str(port))
        assert done.returncode == 1
        assert f"Error: Port {port} is taken." in done.stderr
        assert "app dev --port " in done.stderr


class TestSettings:
    def test_of_a_deployed_environment_are_refused(self, project: Project, port: int) -> None:
        database = "postgresql://app:Xk2r8Wq5@127.0.0.1:9/app"
        secret = "".join(map(str, range(40)))
        done = project.run(
            "dev",
            "--port",
            str(port),
            ENVIRONMENT="staging",
            DATABASE_URL=database,
            SECRET_KEY=secret,
            PUBLIC_URL="https://api.example.com",
            PROJECT_NAME="x",
        )
        assert done.returncode == 1
        assert "app serve" in done.stderr

    def test_that_are_unusable_are_named(self, tmp_path: Path, port: int) -> None:
        project = copy_project(tmp_path)
        done = project.run("dev", "--port", str(port), ENVIRONMENT="nowhere")
        assert done.returncode == 1
        assert "ENVIRONMENT" in done.stderr
        assert "Traceback" not in done.stderr
