"""Tests of a real server: TLS, users, start and stop. Not collected without a `redis-server` on the PATH."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError

from app.core.db.database import Database
from app.core.lifecycle import running
from app.dev.servers.redis import dev_service
from app.dev.servers.redis_server import private_server, running_server
from app.dev.services import services
from app.kit.resilience.circuit_breaker import CircuitBreaker as SharedBreaker
from app.kit.resilience.errors import CircuitOpenError
from app.redis.circuit_breaker import CircuitBreaker
from app.redis.connection import connect
from tests.conftest import make_runtime
from tests.dev.project import is_gone
from tests.redis.certificates import make_certificates

HOST = "127.0.0.1"
MINUTE = timedelta(minutes=1)


class TestLife:
    async def test_keeps_its_data_from_one_start_to_the_next(self, tmp_path: Path) -> None:
        for expected in (None, b"value"):
            with private_server(tmp_path / "redis") as url:
                async with connect(url) as client:
                    assert await client.get("key") == expected
                    await client.set("key", b"value")

    def test_is_found_by_others_while_it_runs(self, tmp_path: Path) -> None:
        data = tmp_path / "redis"
        assert running_server(data) is None
        with private_server(data) as url:
            assert running_server(data) == url
        assert running_server(data) is None

    def test_ends_with_its_parent_even_when_that_is_killed(self, tmp_path: Path) -> None:
        data = tmp_path / "redis"
        script = (
            "import tests, pathlib, sys; from app.dev.servers.redis_server import private_server\n"
            f"with private_server(pathlib.Path({str(data)!r}), '--pidfile', {str(tmp_path / 'pid')!r}):\n"
            "    print('ready', flush=True); sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as parent:
            assert parent.stdout is not None
            assert parent.stdout.readline() == "ready\n"
            pid = int((tmp_path / "pid").read_text())
            parent.kill()
        assert is_gone(pid)

    def test_explains_a_failed_start(self, tmp_path: Path) -> None:
        with pytest.raises(OSError, match="nonsense"), private_server(tmp_path / "redis", "--nonsense", "1"):
            pass

    async def test_app_dev_runs_it_and_other_commands_find_it(self, tmp_path: Path) -> None:
        said: list[str] = []
        with services(folder=tmp_path, known=[dev_service]) as nothing:
            assert nothing == {}
        with services(say=said.append, folder=tmp_path, known=[dev_service]) as ours:
            with pytest.MonkeyPatch.context() as patch:
                patch.delenv("REDIS_URL")  # as in another process
                with services(folder=tmp_path, known=[dev_service]) as theirs:
                    assert theirs == ours
            async with connect(ours["REDIS_URL"]) as client:
                assert await client.set("key", b"value")
        assert said == []


@dataclass(frozen=True, kw_only=True, slots=True)
class Secured:
    """A server with TLS, where a user called `app` may do what this application does, and nothing else."""

    port: int
    authority: Path
    socket: str

    def url(self, *, host: str = HOST, user: str = "app:s%40fe") -> str:
        """The server's URL, as in REDIS_URL."""
        return f"rediss://{user}@{host}:{self.port}/0?ssl_ca_certs={self.authority}"


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A server as it would be in production."""
    folder = tmp_path_factory.mktemp("secured")
    authority, certificate, key = make_certificates(folder, address=HOST)
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    tls = ("--tls-port", str(port), "--bind", HOST, "--tls-auth-clients", "no")
    files = ("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(authority))
    # As docs/redis.md says.
    keys = ("~cache:*", "~limit:*", "~lease:*", "~circuit:*")
    users = ("--user", "default", "off", "--user", "app", "on", ">s@fe", *keys, "+@all", "-@dangerous")
    with private_server(folder / "redis", *tls, *files, *users) as url:
        yield Secured(port=port, authority=authority, socket=url)


class TestSecured:
    async def test_serves_the_application_by_user_name_over_tls(
        self, secured: Secured, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REDIS_URL", secured.url())
        async with running(make_runtime(database), background=False) as runtime:
            await runtime.cache.set("key", b"value", MINUTE)
            assert await runtime.cache.get("key") == b"value"
            assert (await runtime.limiter.hit("5/hour", "me")).remaining == 4
            assert await runtime.leases.acquire("me", limit=1, lifetime=MINUTE)
            shop = SharedBreaker("shop", transient=LookupError, threshold=1)
            with pytest.raises(LookupError):
                async with shop.guard():
                    raise LookupError
            with pytest.raises(CircuitOpenError):
                async with shop.guard():
                    pytest.fail("The circuit is open.")
            breaker = runtime.resource(CircuitBreaker)
            assert not breaker.is_open
            assert await breaker.client.exists("limit:me 5/hour", "lease:me", "circuit:shop") == 3
            with pytest.raises(NoPermissionError):
                await breaker.client.get("another application's")

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            ({"host": "localhost"}, "certificate is not valid for 'localhost'"),
            ({"user": "app:wrong"}, "WRONGPASS|invalid username-password"),
            ({"user": ":s%40fe"}, "WRONGPASS|invalid username-password"),
        ],
    )
    async def test_is_refused_to_others_and_by_others(
        self, secured: Secured, options: dict[str, str], said: str
    ) -> None:
        async with connect(secured.url(**options)) as client:
            with pytest.raises(RedisConnectionError, match=said):
                await client.get("cache:key")

    async def test_is_not_trusted_without_its_authority(self, secured: Secured) -> None:
        async with connect(secured.url().partition("?")[0]) as client:
            with pytest.raises(RedisConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get("cache:key")
