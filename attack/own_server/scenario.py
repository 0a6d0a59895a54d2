"""Deploys, fails and goes back under load: `python -m own_server.scenario PROJECT EMPTY_FOLDER`.

Runs inside a rendered project's environment, in namespaces of its own (`namespace.py`), where the ports and host names
of production are free.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import httpx
from app.dev.servers.postgres import private_postgres
from app.dev.servers.redis_server import private_server
from own_server import releases
from own_server.load import RESTARTING, Load, Socket, Stream, Target
from own_server.server import DOMAIN, URL, Server, prepare, require, say
from tests.fakes.llm import Says
from tests.fakes.openai import OpenAIDialect
from tests.fakes.server import FakeServer, Received, Reply

OK: Final = 200
LIMITED: Final = 429
STREAM_PACE: Final = 0.004
"""Seconds between two bytes of an event stream, until FINISH_STREAM is set."""
FINISH_STREAM: Final = threading.Event()


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
        rate, slowest = load.sent / seconds, load.slowest * 1000
        say(
            f"{name}: {load.sent} requests in {seconds:.1f} s ({rate:.0f}/s), {len(load.failures)} failed, "
            f"slowest {slowest:.0f} ms"
        )
        require(not load.failures, f"{name}:\n{shown}")
        self._created += load.created

    async def first(self) -> None:
        """Deploy to the empty server."""
        output = await self._server.run("deploy", "v1")
        require("v1 serves." in output, output)
        require(await self.serves() == "v1", "v1 does not serve")
        path = "/api/v1/public/health?a=1"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"http://{DOMAIN}{path}")
        require(answer.headers["location"] == f"{URL}{path}", f"no redirect to TLS: {answer.headers}")
        say("first deployment: v1 serves over TLS, and HTTP is redirected")

    async def client_addresses(self) -> None:
        """The application sees the clients' real addresses, and none that they invent."""

        async def refused(address: str, forged: str) -> int:
            transport = httpx.AsyncHTTPTransport(local_address=address, verify=self._target.tls)
            async with httpx.AsyncClient(transport=transport) as client:
                headers = {"Authorization": "Bearer wrong", "X-Forwarded-For": forged}
                answer = await client.get(f"{URL}/api/v1/app/users/me", headers=headers)
                return int(answer.status_code)

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
            await asyncio.sleep(2)
            FINISH_STREAM.set()
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
        say(f"event stream of {spread:.1f} s is complete; WebSocket: 1012, connected again after {socket.gap:.1f} s")
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
            assert process.stdout is not None  # noqa: S101 - a pipe
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

    async def restore_encrypted(self) -> None:
        """Restore an encrypted backup with its key, which never is on the server's disk for longer than that."""
        key, variables = self._server.folder.parent / "key.txt", self._server.folder / ".env"
        public = await self._server.run(
            "compose", "run", "--rm", "--no-TTY", "release", "app", "backup", "new-key", str(key)
        )
        variables.write_text(f"{variables.read_text()}BACKUP_AGE_RECIPIENT={public.split()[-1]}\n")
        before = await self._server.scalar("SELECT count(*) FROM projects")
        await self._server.run("compose", "run", "--rm", "--no-TTY", "release", "app", "backup", "create")
        await self._server.scalar("DELETE FROM projects RETURNING 1")
        refused = await self._server.run("restore", "latest", code=1)
        require("Nothing has been restored. v2 serves again." in refused, refused)
        require(await self.serves() == "v2", "v2 does not serve after a restore that was refused")
        output = await self._server.run("restore", "latest", str(key))
        require("latest has been restored" in output, output)
        rows = await self._server.scalar("SELECT count(*) FROM projects")
        require(rows == before, f"{before} projects before, {rows} after the restore of an encrypted backup")
        say(f"restore from an encrypted backup: refused without its key; with it, {rows} rows again")

    async def run(self) -> None:
        """Run all steps."""
        await self.first()
        await self.client_addresses()
        await self.deploy_with_streams()
        await self.fail()
        await self.roll_back()
        await self.interrupt()
        await self.under_load("reload of the Caddyfile", "reload")
        await self.finish()
        await self.restore()
        await self.restore_encrypted()


def answer_prompt(request: Received) -> Reply:
    """Stream a long answer slowly, as OpenAI does."""
    dialect = OpenAIDialect()
    asked = dialect.understand(request.method, request.path, request.headers, json.loads(request.body))
    body = "".join(dialect.events(asked, Says(texts=[f"Word {number} " for number in range(20)]))).encode()
    headers = {"content-type": "text/event-stream"}
    return Reply(body=body, headers=headers, pace=(FINISH_STREAM, STREAM_PACE))


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
