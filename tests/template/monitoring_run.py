"""Runs inside a rendered project of everything: its servers and its worker under load, scraped by a real Prometheus.

Spans go to an OTLP receiver, errors to a receiver of Sentry's envelopes. Prints the panels without data and the alerts
that fail or fire, and exits with 1 if there are any, or if one failing request is not found everywhere by its id.
"""

import asyncio
import base64
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from app.dev.servers.postgres import private_postgres
from app.dev.servers.redis_server import private_server
from app.dev.servers.stripe.webhooks import signature
from tests.fakes.llm import Says
from tests.fakes.openai import OpenAIDialect
from tests.fakes.server import FakeServer, Received, Reply
from tests.sentry.envelopes import Envelopes, receiving
from tests.tracing.collector import Collector, running_collector
from websockets.asyncio.client import connect

TOKEN: Final = secrets.token_urlsafe(32)
STRIPE_SECRET: Final = f"whsec_{secrets.token_hex(16)}"
MONITORING: Final = Path("monitoring")
WAIT: Final = 180.0
LOAD_SECONDS: Final = 12.0
WORKERS: Final = 2
PROMPTS: Final = 8
FAILING: Final = "/api/v1/public/failing/{id}"
FAILING_MODULE: Final = '''
"""A module whose only route fails."""

from fastapi import APIRouter
from sqlalchemy import text

from app.core.http.dependencies import SessionDep
from app.core.manifest import Module

router = APIRouter()


@router.get("/failing/{id}")
async def fail(id: int, session: SessionDep) -> None:
    """Fail after a statement."""
    await session.execute(text("SELECT 1"))
    raise RuntimeError(f"Order {id} has no total.")


module = Module(name="failing", public_router=router)
'''
PROJECT_MODULES: Final = '''
"""The project's own modules."""

from app.core.manifest import Module
from app.failing import module

MODULES: tuple[Module, ...] = (module,)
'''
APP: Final = str(Path(sys.executable).with_name("app"))


def unused_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def until(condition: Callable[[], bool], message: str) -> None:
    """Wait until the condition is met."""
    deadline = time.monotonic() + WAIT
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(message)
        time.sleep(0.1)


def answers(url: str) -> bool:
    """Return whether the URL is answered with success."""
    with suppress(httpx.HTTPError):
        return httpx.get(url, timeout=2).is_success
    return False


@contextmanager
def running(
    name: str, command: list[str], folder: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program to the end of the block, or until it is stopped; its output goes to a file."""
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, env=dict(environment), stdout=log, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a program."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def fake(answer: Callable[[Received], Reply]) -> Iterator[FakeServer]:
    """Run a server of another system."""
    server = FakeServer(answer)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def answer_prompt(request: Received) -> Reply:
    """Answer as OpenAI."""
    dialect = OpenAIDialect()
    asked = dialect.understand(request.method, request.path, request.headers, json.loads(request.body))
    body = json.dumps(dialect.whole(asked, Says())).encode()
    return Reply(body=body, headers={"content-type": "application/json"})


def configure(folder: Path, ports: Mapping[str, int]) -> Path:
    """Copy the project's configuration of Prometheus, with this machine's addresses and short intervals."""
    copy = folder / "prometheus"
    shutil.copytree(MONITORING / "prometheus", copy)
    (folder / "token").write_text(TOKEN)
    config = copy / "prometheus.yml"
    text = config.read_text().replace("15s", "1s").replace("/run/secrets/metrics_token", str(folder / "token"))
    config.write_text(text)
    for name, port in ports.items():
        targets = copy / "targets" / f"{name}.yml"
        targets.write_text(re.sub(r'"\w+:\d+"', f'"127.0.0.1:{port}"', targets.read_text()))
    for rules in (copy / "rules").glob("*.yml"):
        lines = rules.read_text().splitlines()
        rules.write_text("\n".join("        for: 1s" if line.startswith("        for: ") else line for line in lines))
    subprocess.run(["promtool", "check", "config", str(config)], check=True, stdout=subprocess.DEVNULL)
    return config


def stripe_event(changed: Mapping[str, str]) -> dict[str, Any]:
    """Return the body and the signature of an event from Stripe, as arguments of a request."""
    event = {
        "id": f"evt_{secrets.token_hex(8)}",
        "object": "event",
        "type": "customer.deleted",
        "created": int(time.time()),
        "livemode": False,
        "api_version": None,
        "data": {"object": changed},
    }
    content = json.dumps(event).encode()
    return {
        "content": content,
        "headers": {"stripe-signature": signature(content, STRIPE_SECRET, int(time.time()))},
    }


class Load:
    """Requests to the application that use every part of it that has a dashboard."""

    def __init__(self, url: str, token: str, admin: str) -> None:
        self._url = url
        self._token = token
        self._admin = admin

    async def run(self) -> None:
        """Send requests for LOAD_SECONDS."""
        deadline = time.monotonic() + LOAD_SECONDS
        headers = {"Authorization": f"Bearer {self._token}"}
        async with httpx.AsyncClient(base_url=f"{self._url}/api/v1", headers=headers, timeout=20) as client:
            await asyncio.gather(
                self._connect(deadline),
                self._write(client),
                *(self._read(client, deadline, number) for number in range(4)),
                self._prompt(client, deadline),
            )

    async def _read(self, client: httpx.AsyncClient, deadline: float, number: int) -> None:
        admin = {"Authorization": f"Bearer {self._admin}"}
        while time.monotonic() < deadline:
            for path in ("/app/projects", "/app/users/me", "/public/nowhere", "/admin/dashboard/stats"):
                await client.get(path, headers=admin if path.startswith("/admin") else None)
            event = stripe_event({"object": "customer", "id": f"cus_{secrets.token_hex(8)}"})
            (await client.post("/public/webhooks/stripe", **event)).raise_for_status()
            await asyncio.sleep(0.1 * number)

    async def _prompt(self, client: httpx.AsyncClient, deadline: float) -> None:
        # Fewer than the free plan has.
        for _ in range(PROMPTS):
            answer = await client.post("/app/ai/completions", json={"prompt": "Hello", "provider": "openai"})
            answer.raise_for_status()
            await asyncio.sleep(LOAD_SECONDS / PROMPTS)
            if time.monotonic() > deadline:
                return

    async def _write(self, client: httpx.AsyncClient) -> None:
        # The form takes messages that are sent at once for spam. A rate needs two deliveries, at different times.
        forms = [await client.get("/public/contact/status") for _ in range(2)]
        for form in forms:
            await asyncio.sleep(4)
            token = form.raise_for_status().json()["form_token"]
            body = {"form_token": token, "name": "Ann", "email": "ann@example.com", "message": f"Hello {token[-8:]}"}
            (await client.post("/public/contact", json=body)).raise_for_status()

    async def _connect(self, deadline: float) -> None:
        url = f"{self._url.replace('http', 'ws', 1)}/api/v1/app/ws"
        headers = {"Authorization": f"Bearer {self._token}"}
        async with connect(url, additional_headers=headers):
            while time.monotonic() < deadline:
                async with connect(url, additional_headers=headers):
                    await asyncio.sleep(1)


class Prometheus:
    """The API of a running Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - JSON
        """Return the data of an answer."""
        answer = httpx.get(f"{self._url}/api/v1/{path}", params=parameters, timeout=10).json()
        return answer["data"] if answer["status"] == "success" else sys.exit(str(answer))

    def up(self) -> bool:
        """Return whether all targets are scraped."""
        targets = self.get("targets")["activeTargets"]
        return bool(targets) and all(target["health"] == "up" for target in targets)

    def alerts(self) -> list[dict[str, Any]]:
        """Return the alerts with their state, and fail if the evaluation of a rule fails."""
        rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
        bad = [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]
        if bad or not rules:
            sys.exit(f"Rules that cannot be evaluated: {bad}")
        return [rule for rule in rules if rule["type"] == "alerting"]

    def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        return {alert["name"] for alert in self.alerts() if alert["state"] == "firing"}

    def has_data(self, expression: str) -> bool:
        """Return whether an expression has a number."""
        result = self.get("query", query=expression.replace("$__rate_interval", "30s"))["result"]
        return any(series["value"][1] != "NaN" for series in result)


def panels() -> Iterator[tuple[str, str]]:
    """Return the name and the expression of each query of each panel."""
    for file in sorted((MONITORING / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", target["expr"]


def application(environment: Mapping[str, str], *arguments: str) -> str:
    """Run a command of the application, and return its output."""
    done = subprocess.run([APP, *arguments], env=dict(environment), capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else sys.exit(done.stderr)


def settings(urls: Mapping[str, str], folder: Path, worker_port: int) -> dict[str, str]:
    """Return the environment of the application."""
    return dict(os.environ) | {
        "ENVIRONMENT": "local",
        "PROJECT_NAME": "Observed",
        "SECRET_KEY": secrets.token_hex(32),
        "DATABASE_URL": urls["database"],
        "REDIS_URL": urls["redis"],
        "METRICS_TOKEN": TOKEN,
        "METRICS_DIR": str(folder / "metrics"),
        "METRICS_PORT": str(worker_port),
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": f"{urls['ai']}/v1",
        "CONTACT_WEBHOOK_URL": f"{urls['crm'].replace('127.0.0.1', 'localhost')}/",
        "CONTACT_WEBHOOK_SECRET": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
        "STRIPE_WEBHOOK_SECRET": STRIPE_SECRET,
        "ADMIN_EMAIL": "admin@example.com",
        "OTEL_EXPORTER_OTLP_ENDPOINT": urls["traces"],
        "OTEL_TRACES_SAMPLER_ARG": "1",
        "SENTRY_DSN": urls["sentry"],
        "SENTRY_TRACES_SAMPLE_RATE": "0.1",
        "RATE_LIMIT_DEFAULT": "1000000/minute",
        "RATE_LIMIT_AI": "1000000/minute",
    }


def main() -> None:
    """Start everything, and check each panel and each alert."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="monitoring-")))
        postgres = stack.enter_context(private_postgres(folder / "postgres" / "data", durable=False))
        redis = stack.enter_context(private_server(folder / "redis"))
        ai = stack.enter_context(fake(answer_prompt))
        crm = stack.enter_context(fake(lambda _: Reply()))
        ports = {"server": unused_port(), "worker": unused_port()}
        collector = stack.enter_context(running_collector())
        envelopes = stack.enter_context(receiving())
        urls = {
            "database": postgres.url("postgres"),
            "redis": redis,
            "ai": ai.url,
            "crm": crm.url,
            "traces": collector.url,
            "sentry": envelopes.dsn,
        }
        Path("app/failing.py").write_text(FAILING_MODULE)
        Path("app/project_modules.py").write_text(PROJECT_MODULES)
        environment = settings(urls, folder, ports["worker"])
        application(environment, "db", "upgrade")
        url = f"http://127.0.0.1:{ports['server']}"
        serve = [APP, "serve", "--port", str(ports["server"]), "--workers", str(WORKERS)]
        server = stack.enter_context(running("server", serve, folder, environment))
        stack.enter_context(running("worker", [APP, "worker"], folder, environment))
        until(lambda: answers(f"{url}/api/v1/public/health/ready"), "The server does not start.")
        prometheus = scrape(stack, folder, ports)
        user, admin = (
            application(environment, "token", "--email", f"{name}@example.com") for name in ("user", "admin")
        )
        httpx.get(f"{url}/api/v1/app/users/me", headers={"Authorization": f"Bearer {admin}"}).raise_for_status()
        application(environment, "user", "grant", "admin@example.com", "admin")
        asyncio.run(Load(url, user, admin).run())
        check(prometheus)
        find_failure(url, folder / "server.log", collector, envelopes, prometheus)
        httpx.post(f"{url}/api/v1/public/webhooks/stripe", **stripe_event({"object": "customer"})).raise_for_status()
        until(lambda: "InboxEventsFailed" in prometheus.firing(), "InboxEventsFailed does not fire")
        end(server)
        until(lambda: "ApplicationNotScraped" in prometheus.firing(), "ApplicationNotScraped does not fire")


def scrape(stack: ExitStack, folder: Path, ports: Mapping[str, int]) -> Prometheus:
    """Start Prometheus, and wait until it scrapes all targets."""
    config, port = configure(folder, ports), unused_port()
    # The options of the profile `observability`, with this machine's paths.
    options = yaml.safe_load((MONITORING / "compose.yaml").read_text())["services"]["prometheus"]["command"]
    paths = {"--config.file": config, "--storage.tsdb.path": folder / "tsdb"}
    names = [option.partition("=")[0] for option in options]
    command = [
        "prometheus",
        *(f"{name}={paths[name]}" if name in paths else option for name, option in zip(names, options, strict=True)),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    stack.enter_context(running("prometheus", command, folder, os.environ))
    until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), "Prometheus does not start.")
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    deadline = time.monotonic() + WAIT
    while not prometheus.up():
        if time.monotonic() > deadline:
            sys.exit(f"A target is not scraped: {prometheus.get('targets')['activeTargets']}")
        time.sleep(0.5)
    return prometheus


def find_failure(url: str, log: Path, collector: Collector, envelopes: Envelopes, prometheus: Prometheus) -> None:
    """Send a request that fails, and find it by its id in the log, the spans and the errors, and in the metrics."""
    answer = httpx.get(f"{url}{FAILING.format(id=7)}")
    request_id = answer.headers["x-request-id"]

    def spans() -> list[Any]:
        return [span for span in collector.spans if span.attributes.get("app.request_id") == request_id]

    def events() -> list[Any]:
        return [event for event in envelopes.of("event") if event["tags"]["request_id"] == request_id]

    until(lambda: bool(spans()), f"No span of {request_id}.")
    until(lambda: bool(events()), f"No error of {request_id}.")
    # In local, the log is not JSON but readable.
    lines = [dict(re.findall(r"(\w+)=(\S+)", line)) for line in log.read_text().splitlines() if request_id in line]
    (span,), (event,) = spans(), events()
    children = sorted(each.name for each in collector.spans if each.parent_id == span.span_id)
    traces = {span.trace_id, event["contexts"]["trace"]["trace_id"], *(line["trace_id"] for line in lines)}
    found = {
        "status": answer.status_code,
        "failed": span.failed,
        "children": children,
        "error": event["exception"]["values"][-1]["type"],
        "queries": [line["queries"] for line in lines if "queries" in line],
        "traces": len(traces),
    }
    expected = {
        "status": 500,
        "failed": True,
        "children": ["SELECT", "call redis"],
        "error": "RuntimeError",
        "queries": ["1"],
        "traces": 1,
    }
    if found != expected:
        sys.exit(f"{request_id}: {found} of {lines}, not {expected}")
    sys.stdout.write(f"{request_id} is found in the log, the spans and the errors\n")
    until(
        lambda: prometheus.has_data(f'http_server_request_duration_seconds_count{{http_route="{FAILING}"}}'),
        "The failing route has no metrics.",
    )
    increase = f'increase(app_http_request_errors_total{{http_route="{FAILING}"}}[1m]) > 0'
    until(lambda: prometheus.has_data(increase), "The first failure of a route is no increase.")


def check(prometheus: Prometheus) -> None:
    """Fail if a query has no data, or if an alert fires."""
    queries = list(panels())
    deadline = time.monotonic() + 10
    while True:
        missing = [f"{name}: {query}" for name, query in queries if not prometheus.has_data(query)]
        if not missing or time.monotonic() > deadline:
            break
        time.sleep(1)
    # On a busy machine the event loops do wait: this alert says so, and is no fault.
    firing = prometheus.firing() - {"EventLoopLag"}
    sys.stdout.write(f"{len(queries)} queries, {len(prometheus.alerts())} alerts\n")
    if missing or firing:
        sys.exit("\n".join([*(f"No data: {name}" for name in missing), *(f"Fires: {name}" for name in sorted(firing))]))


if __name__ == "__main__":
    main()
