"""Deploys, fails and goes back under load. Runs inside a rendered project's environment: `python -m own_server.scenario`.

The arguments: the rendered project, and an empty folder. `namespace.py` starts it in namespaces of its own, where the ports
and host names of production are free.
"""

import asyncio
import json
import os
import secrets
import shutil
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import httpx
import jwt
from app.dev.servers.postgres import private_postgres
from app.dev.servers.redis_server import private_server
from own_server import releases
from own_server.load import RESTARTING, Load, Socket, Stream, Target
from tests.fakes.llm import Says
from tests.fakes.openai import OpenAIDialect
from tests.fakes.server import FakeServer, Received, Reply

DOMAIN: Final = "api.example.test"
ISSUER: Final = "https://issuer.example.test"
URL: Final = f"https://{DOMAIN}"
OK: Final = 200
LIMITED: Final = 429


class Failed(SystemExit):
    """Something did not happen as it has to."""


def require(condition: object, message: str) -> None:
    """Fail unless the condition is met."""
    if not condition:
        raise Failed(f"FAILED: {message}")


def say(text: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """The server's folder, and the environment of its commands."""

    folder: Path
    environment: Mapping[str, str]
    database: str

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a command of `own-server/deploy`."""
        return await asyncio.create_subprocess_exec(
            self.folder / "own-server" / "deploy",
            *arguments,
            cwd="/",
            env=dict(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def run(self, *arguments: str, code: int = 0, steps: Mapping[str, asyncio.Event] | None = None) -> str:
        """Run a command of `own-server/deploy` to its end, and return its output.

        Args:
            steps: events that are set when a line with the text is printed.
        """
        process, text = await self.start(*arguments), ""
        assert process.stdout is not None
        async for line in process.stdout:
            text += line.decode(errors="replace")
            for step, event in (steps or {}).items():
                if step in text:
                    event.set()
        require(await process.wait() == code, f"deploy {arguments} exited with {process.returncode}:\n{text}")
        return text

    async def scalar(self, query: str) -> object:
        """Return the value of a query."""
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()


class Scenario:
    """The steps, each under load."""

    def __init__(self, server: Server, target: Target) -> None:
        self._server = server
        self._target = target
        self._created = 0

    async def serves(self) -> str:
        """Return the name of the release that answers."""
        async with self._target.client() as client:
            answer = await client.get("/api/v1/public/health")
        require(answer.status_code == OK, f"the health route answered {answer.status_code}")
        return str(answer.json()["status"])

    async def under_load(
        self,
        name: str,
        *arguments: str,
        code: int = 0,
        says: str = "",
        steps: Mapping[str, asyncio.Event] | None = None,
    ) -> None:
        """Run a command of `deploy` under load, and require that no request fails."""
        load = Load(target=self._target)
        started = time.monotonic()
        async with load.running():
            await asyncio.sleep(1)
            output = await self._server.run(*arguments, code=code, steps=steps)
            await asyncio.sleep(1)
        require(says in output, f"{name}: {says!r} is not in\n{output}")
        self.check(load, name, started)

    def check(self, load: Load, name: str, started: float) -> None:
        """Require that no request failed, and report."""
        seconds = time.monotonic() - started
        shown = "\n".join(load.failures[:10])
        say(
            f"{name}: {load.sent} requests in {seconds:.1f} s ({load.sent / seconds:.0f}/s), {len(load.failures)} failed, "
            f"slowest {load.slowest * 1000:.0f} ms"
        )
        require(not load.failures, f"{name}:\n{shown}")
        self._created += load.created

    async def first(self) -> None:
        """Deploy to the empty server."""
        output = await self._server.run("deploy", "v1")
        require("v1 serves." in output, output)
        require(await self.serves() == "v1", "v1 does not serve")
        answer = httpx.get(f"http://{DOMAIN}/api/v1/public/health?a=1", trust_env=False)
        require(answer.headers["location"] == f"{URL}/api/v1/public/health?a=1", f"no redirect to TLS: {answer.headers}")
        say("first deployment: v1 serves over TLS, and HTTP is redirected")

    async def client_addresses(self) -> None:
        """The application sees the clients' real addresses, and none that they invent."""

        async def refused(address: str, forged: str) -> int:
            transport = httpx.AsyncHTTPTransport(local_address=address, verify=self._target.tls)
            async with httpx.AsyncClient(transport=transport) as client:
                headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": forged}
                return (await client.get(f"{URL}/api/v1/app/users/me", headers=headers)).status_code

        codes = [await refused("127.0.0.21", f"192.0.2.{number}") for number in range(7)]
        require(codes[0] != LIMITED and codes[-1] == LIMITED, f"a forged address evades the rate limit: {codes}")
        require(await refused("127.0.0.22", "192.0.2.1") != LIMITED, "clients share a rate limit")
        say("the client's address: real, and not to be forged")

    async def deploy_with_streams(self) -> None:
        """Deploy while an event stream and a WebSocket are open."""
        stream, socket = Stream(target=self._target), Socket(target=self._target)
        starts, drains = asyncio.Event(), asyncio.Event()

        async def read() -> float:
            await starts.wait()
            reading = asyncio.create_task(stream.read())
            await drains.wait()
            drained = time.monotonic()
            await asyncio.wait_for(reading, 40)
            return drained

        listening, reading = asyncio.create_task(socket.run()), asyncio.create_task(read())
        await self.under_load("deployment of v2", "deploy", "v2", steps={" Start ": starts, " Drain ": drains})
        drained = await reading
        require(stream.complete, "the event stream was cut")
        before = sum(moment < drained for moment in stream.arrived)
        require(0 < before < len(stream.arrived), f"the event stream was buffered, or too short: {stream}, {drained}")
        require(socket.welcomes > 1 and set(socket.codes) == {RESTARTING}, f"WebSocket: {socket}")
        listening.cancel()
        spread = stream.arrived[-1] - stream.arrived[0]
        say(f"event stream of {spread:.1f} s is complete; WebSocket: closed with 1012, connected again after {socket.gap:.1f} s")
        require(await self.serves() == "v2", "v2 does not serve")
        require(await self._server.scalar(releases.EXPANDED) == 1, "v2's migration has not run")

    async def fail(self) -> None:
        """A failed migration, wrong settings and a release that does not start: the old release goes on serving."""
        await self.under_load("failed migration", "deploy", "v3", code=1, says="The migration failed")
        require(await self._server.scalar(releases.HALF_APPLIED) == 0, "the failed migration is half applied")
        require(await self.serves() == "v2", "v2 does not serve after a failed migration")
        await self.under_load("release that does not start", "deploy", "v4", code=1, says="is not ready")
        require(await self.serves() == "v2", "v2 does not serve after a release that does not start")
        await self.under_load("image that does not exist", "deploy", "v9", code=1, says="cannot be pulled")
        await self.under_load("failed smoke test through the proxy", "deploy", "v5", code=1, says="v2 serves again")
        require(await self.serves() == "v2", "v2 does not serve after failed smoke tests")

    async def roll_back(self) -> None:
        """Go back to the previous release, on the newer schema."""
        await self.under_load("rollback to v1", "rollback", "v1", says="v1 serves.")
        require(await self.serves() == "v1", "v1 does not serve")
        require(await self._server.scalar(releases.EXPANDED) == 1, "the rollback has changed the schema")

    async def interrupt(self) -> None:
        """Kill a deployment when both releases run, and deploy again. Meanwhile, no other deployment may run."""
        load = Load(target=self._target)
        started = time.monotonic()
        async with load.running():
            process = await self._server.start("deploy", "v2")
            assert process.stdout is not None
            async for line in process.stdout:
                if b" Start " in line:
                    break
            refused = await self._server.run("deploy", "v2", code=1)
            require("Another deployment is running" in refused, refused)
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            require(await self.serves() in {"v1", "v2"}, "no release serves after an interruption")
            output = await self._server.run("deploy", "v2")
            require("v2 serves." in output, output)
        self.check(load, "killed deployment, and a second one", started)
        require(await self.serves() == "v2", "v2 does not serve")

    async def finish(self) -> None:
        """Nothing was lost, written twice or killed."""
        rows = await self._server.scalar("SELECT count(*) FROM projects")
        require(rows == self._created, f"{self._created} projects were created, and there are {rows}")
        killed = self._server.folder.parent / "killed"
        require(not killed.exists(), f"killed after the grace period: {killed.exists() and killed.read_text()}")
        say(f"{rows} rows written, none lost or written twice; no container was killed")

    async def restore(self) -> None:
        """Lose all projects, and restore the backup."""
        before = await self._server.scalar("SELECT count(*) FROM projects")
        await self._server.run("compose", "run", "--rm", "--no-TTY", "release", "app", "backup", "create")
        await self._server.scalar("DELETE FROM projects RETURNING 1")
        started = time.monotonic()
        output = await self._server.run("restore", "latest")
        require("latest has been restored" in output, output)
        rows = await self._server.scalar("SELECT count(*) FROM projects")
        require(rows == before and await self.serves() == "v2", f"{before} projects before, {rows} after the restore")
        say(f"restore from the backup: {rows} rows again, after {time.monotonic() - started:.1f} s")

    async def run(self) -> None:
        """Run all steps."""
        await self.first()
        await self.client_addresses()
        await self.deploy_with_streams()
        await self.fail()
        await self.roll_back()
        await self.interrupt()
        await self.finish()
        await self.restore()


def answer_prompt(request: Received) -> Reply:
    """Stream a long answer slowly, as OpenAI does."""
    dialect = OpenAIDialect()
    asked = dialect.understand(request.method, request.path, request.headers, json.loads(request.body))
    body = "".join(dialect.events(asked, Says(texts=[f"Word {number} " for number in range(20)]))).encode()
    pace = (threading.Event(), releases.STREAM_SECONDS / len(body))
    return Reply(body=body, headers={"content-type": "text/event-stream"}, pace=pace)


def certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Make a certificate authority and a certificate for the domain; return the authority, the certificate and its key."""
    ca, ca_key, request, key, signed = (folder / name for name in ("ca.pem", "ca.key", "req.pem", "key.pem", "cert.pem"))
    extension = folder / "extension"
    extension.write_text(f"subjectAltName=DNS:{DOMAIN}\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    commands = (
        [*new, "-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", str(ca_key), "-out", str(ca)],
        [*new, "-subj", f"/CN={DOMAIN}", "-keyout", str(key), "-out", str(request)],
        ["openssl", "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-days", "1"]
        + ["-extfile", str(extension), "-out", str(signed)],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return ca, signed, key


def prepare(project: Path, work: Path, urls: Mapping[str, str]) -> tuple[Server, Target]:
    """Write the server's files as docs/deploy-own-server.md says."""
    folder = work / "server"
    folder.mkdir()
    shutil.copytree(project / "own-server", folder / "own-server")
    shutil.copy2(project / "compose.production.yaml", folder)
    ca, signed, key = certificate(work)
    certificates = folder / "own-server" / "caddy" / "certificates"
    certificates.mkdir()
    (certificates / "own.caddy").write_text(f"tls {signed} {key}\n")
    secret = secrets.token_hex(32)
    settings = {
        "ENVIRONMENT": "production",
        "PROJECT_NAME": "Served",
        "SERVER_DOMAIN": DOMAIN,
        "SERVER_IMAGE": "registry.example.test/served",
        "SECRET_KEY": secret,
        "OAUTH_ISSUER": ISSUER,
        "OAUTH_AUDIENCE": "served",
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "REDIS_PASSWORD": secrets.token_hex(16),
        "METRICS_TOKEN": secrets.token_hex(32),
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": f"{urls['ai']}/v1",
        "RATE_LIMIT_DEFAULT": "1000000/minute",
        "RATE_LIMIT_AI": "1000000/minute",
        "STORAGE_PROVIDER": "local",
        # Shorter than by default, to save time.
        "HTTP_DRAIN_DELAY": "3",
        "SERVER_WORKERS": "1",
    }
    (folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    files = work / "files"
    files.mkdir()
    (work / "backups").mkdir()
    overrides = {"DATABASE_URL": urls["database"], "REDIS_URL": urls["redis"], "STORAGE_LOCAL_PATH": str(files)}
    overrides["BACKUP_DIR"] = str(work / "backups")
    (work / "environment.json").write_text(json.dumps(overrides))
    environment = {
        "PATH": f"{work / 'bin'}:{os.environ['PATH']}",
        "HOME": str(work),
        "STAND_IN_DIR": str(work),
        "SMOKE_TEST_CA": str(ca),
        "READY_TIMEOUT": "60",
    }
    claims = {"iss": ISSUER, "aud": "served", "sub": "ann", "email": "ann@example.com", "email_verified": True}
    now = int(time.time())
    token = jwt.encode(claims | {"iat": now, "exp": now + 3600}, secret, algorithm="HS256")
    target = Target(url=URL, token=token, tls=ssl.create_default_context(cafile=ca))
    return Server(folder=folder, environment=environment, database=urls["plain"]), target


def main(project: Path, work: Path) -> None:
    """Start what all releases share, and run the steps."""
    with ExitStack() as stack:
        postgres = stack.enter_context(private_postgres(work / "postgres" / "data", durable=False))
        redis = stack.enter_context(private_server(work / "redis"))
        ai = FakeServer(answer_prompt)
        ai.start()
        stack.callback(ai.stop)
        urls = {
            "database": postgres.url("postgres"),
            "plain": f"postgresql://postgres@/postgres?host={postgres.sockets}",
            "redis": redis,
            "ai": ai.url,
        }
        releases.make(project, work)
        server, target = prepare(project, work, urls)
        try:
            asyncio.run(Scenario(server, target).run())
        except BaseException:
            for log in sorted((work / "logs").glob("*.log")):
                sys.stdout.write(f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}\n")
            raise


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve())
