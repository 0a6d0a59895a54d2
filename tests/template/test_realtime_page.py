"""The TypeScript client of the page on realtime events works in a browser, against a real server that restarts."""

import json
import re
import socket
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, ClassVar, Final

import pytest
from omnistack.shell.process import kill_group, program
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

from tests.template.process_output import ProcessOutput
from tests.template.test_own_module_page import ROOT

PAGE: Final = ROOT / "template" / "docs" / "realtime.md"
CODE: Final = re.compile(r"^```typescript\n(.*?)^```", re.DOTALL | re.MULTILINE)
MAX_LINES: Final = 200
SECONDS: Final = 120
SERVER: Final = """
import asyncio, sys
import uvicorn
from app.core.ports.realtime import Everyone
from app.main import create_app

async def main(port):
    app = create_app()
    server = uvicorn.Server(uvicorn.Config(app, port=port, ws="websockets-sansio", log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.05)
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        runtime = app.state.runtime
        async with runtime.database.transaction() as session:
            await runtime.realtime.publish(session, Everyone(), {"type": "number", "number": int(line)})
    server.should_exit = True
    await task

asyncio.run(main(int(sys.argv[1])))
"""
HTML: Final = """<!doctype html><meta charset="utf-8"><script type="module">
import { Realtime } from "/client.js";
// One after the other: requests at the same time arrive in any order.
let reports = Promise.resolve();
const post = (item) => fetch("/report", { method: "POST", body: JSON.stringify(item) });
const report = (item) => (reports = reports.then(() => post(item)));
const realtime = new Realtime({
  url: "ws://127.0.0.1:PORT/api/v1/app/ws",
  token: async () => (await fetch("/token")).text(),
  deactivated: () => report("deactivated"),
  error: (code) => report(code),
});
const event = (event) => report(event.number);
realtime.subscribe("everyone", { load: () => report("load"), event });
realtime.subscribe("unknown", { load: () => undefined, event, forbidden: () => report("forbidden") });
realtime.subscribe("x".repeat(1000), { load: () => undefined, event });
</script>"""
USE: Final = """import { Realtime } from "./client.js";
declare function getAccessToken(): Promise<string>;
declare function loadOrders(): Promise<void>;
"""


def compiled(folder: Path) -> str:
    """Check the types of the page's code, and return the client in JavaScript."""
    client, use = CODE.findall(PAGE.read_text(encoding="utf-8"))
    (folder / "client.ts").write_text(client, encoding="utf-8")
    (folder / "use.ts").write_text(f"{USE}{use}export {{ leave }};\n", encoding="utf-8")
    npm = [program("npm"), "install", "--silent", "--no-audit", "--no-fund", "typescript@5"]
    subprocess.run(npm, cwd=folder, check=True, timeout=SECONDS)
    options = [
        "--strict",
        "--noUnusedLocals",
        "--target",
        "es2022",
        "--module",
        "es2022",
        "--moduleResolution",
        "bundler",
    ]
    subprocess.run(["node_modules/.bin/tsc", *options, "use.ts"], cwd=folder, check=True, timeout=SECONDS)
    return (folder / "client.js").read_text(encoding="utf-8")


class Pages(BaseHTTPRequestHandler):
    """The page, its script and token, and what the page reports."""

    contents: ClassVar[dict[str, tuple[str, str]]] = {}
    reports: ClassVar[Queue[Any]] = Queue()

    def do_GET(self) -> None:
        """Answer with a page."""
        kind, text = self.contents.get(self.path, ("text/plain", ""))
        self._answer(kind, text)

    def do_POST(self) -> None:
        """Keep a report."""
        self.reports.put(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self._answer("text/plain", "")

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self, kind: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def pages() -> Iterator[int]:
    """Serve the pages, and yield the port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@contextmanager
def application(site: Site, port: int) -> Iterator[subprocess.Popen[str]]:
    """Run a server that publishes the numbers that it reads."""
    process = subprocess.Popen(
        [program("uv"), "run", "python", "-c", SERVER, str(port)],
        cwd=site.folder,
        env=dict(site.environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        ProcessOutput(process).read_until("ready", SECONDS)
        yield process
    finally:
        kill_group(process)
        process.wait()
        assert process.stdin is not None
        with suppress(BrokenPipeError):
            process.stdin.close()


@contextmanager
def browser(url: str, folder: Path) -> Iterator[None]:
    """Open a page in Chromium."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        [program("chromium"), *options, url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield
    finally:
        kill_group(process)
        process.wait()


def publish(process: subprocess.Popen[str], *numbers: int) -> None:
    """Publish numbers."""
    assert process.stdin is not None
    for number in numbers:
        process.stdin.write(f"{number}\n")
    process.stdin.flush()


def reported(count: int) -> list[Any]:
    """Return the next reports of the page."""
    return [Pages.reports.get(timeout=SECONDS) for _ in range(count)]


def test_the_client_is_short() -> None:
    client = CODE.findall(PAGE.read_text(encoding="utf-8"))[0]

    assert client.count("\n") < MAX_LINES


@pytest.mark.slow
def test_the_client_works_in_a_browser(tmp_path: Path) -> None:
    folder, typescript = tmp_path / "project", tmp_path / "typescript"
    typescript.mkdir()
    write(Renderer(ROOT).render({"preset": "custom", "websocket": True}), folder)
    database = tmp_path / "database.db"
    variables = environment(
        f"sqlite+aiosqlite:///{database}", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode"
    )
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    site.run("uv", "run", "app", "db", "upgrade")
    minted = [program("uv"), "run", "app", "token", "--email", "me@example.com"]
    token = subprocess.run(minted, cwd=folder, env=dict(variables), check=True, capture_output=True, text=True).stdout
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    Pages.contents = {
        "/": ("text/html", HTML.replace("PORT", str(port))),
        "/client.js": ("text/javascript", compiled(typescript)),
        "/token": ("text/plain", token.strip()),
    }
    with pages() as own, browser(f"http://127.0.0.1:{own}/", tmp_path / "chromium"):
        with application(site, port) as process:
            assert sorted(reported(3)) == ["INVALID_MESSAGE", "forbidden", "load"]
            publish(process, 1, 2, 3)
            assert reported(3) == [1, 2, 3]
        # Its memory is lost: the client has to load the state again.
        with application(site, port) as process:
            assert sorted(reported(2)) == ["INVALID_MESSAGE", "load"]
            publish(process, 4)
            assert reported(1) == [4]
            with sqlite3.connect(database) as connection:
                connection.execute("UPDATE users SET is_active = 0")
            connection.close()
            assert reported(1) == ["deactivated"]
