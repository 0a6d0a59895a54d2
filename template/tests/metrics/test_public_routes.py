"""The routes that Prometheus scrapes."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.core.config.settings import ConfigurationError, Settings, load_settings
from app.core.db.database import Database
from app.core.http.route_table import RouteTable
from app.core.jobs.names import job_name
from app.core.lifecycle import create_runtime, running
from app.core.module import module as core
from app.main import create_app
from app.metrics.directory import MetricsDirectory
from app.metrics.exposition import Exposition
from app.metrics.module import module as metrics
from app.metrics.recording import recording
from app.metrics.settings import MetricsSettings
from app.modules import MODULES
from tests.core.applications import PUBLIC, client_of, error_of
from tests.metrics.scrapes import Scrape

TOKEN = "k3b9vqz7xw2m5n8p1r4t6y0u-sdfghjl"
METRICS = f"{PUBLIC}/metrics"


@pytest.fixture
async def client(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application that records, and whose scrapes need a token."""
    monkeypatch.setenv("METRICS_DIR", str(folder))
    monkeypatch.setenv("METRICS_TOKEN", TOKEN)
    modules = [core, metrics]
    runtime = create_runtime(modules, database=database)
    app = create_app(modules, runtime=runtime)
    async with running(runtime, background=False), recording(runtime), client_of(app) as opened:
        yield opened


async def test_a_scrape_contains_the_requests_before_it(client: httpx.AsyncClient) -> None:
    for path in ("health", "health", "nowhere/me@example.com?token=secret"):
        await client.get(f"{PUBLIC}/{path}")
    answer = await client.get(METRICS, headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    count = "http_server_request_duration_seconds_count"
    scrape = Scrape(answer.text)
    assert scrape.total(count, http_route=f"{PUBLIC}/health", http_response_status_code="200") == 2
    assert scrape.total(count, http_route="unmatched", http_response_status_code="404") == 1
    assert scrape.total("app_processes", role="server") == 1
    assert scrape.total("app_metrics_snapshot_success", snapshot="gauges") == 1
    assert "example.com" not in answer.text
    assert "secret" not in answer.text


async def test_series_of_all_modules_begin_at_0(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METRICS_DIR", str(folder))
    runtime = create_runtime(MODULES, database=database)
    app = create_app(MODULES, runtime=runtime)
    async with running(runtime, background=False), recording(runtime):
        scrape = Scrape(await runtime.resource(Exposition).text())
    assert scrape.find("app_http_request_errors_total", http_route=f"{PUBLIC}/health") == [0]
    routes = {route.template for route in runtime.resource(RouteTable)}
    assert scrape.values("app_http_request_errors_total", "http_route") == {"unmatched", *routes}
    jobs = {job_name(job) for module in MODULES for job in module.jobs}
    assert scrape.values("app_job_duration_seconds_count", "job") == jobs
    assert app.state.runtime is runtime


@pytest.mark.parametrize(
    "header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer \xff"]
)
async def test_a_scrape_without_the_token_is_refused(client: httpx.AsyncClient, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = await client.get(METRICS, headers=headers)
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "UNAUTHORIZED"
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_the_health_needs_no_token(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{METRICS}/health")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_a_deleted_directory_is_degraded(client: httpx.AsyncClient, folder: Path) -> None:
    assert (await client.get(f"{METRICS}/health")).json() == {"status": "ok"}
    shutil.rmtree(folder)
    assert (await client.get(f"{METRICS}/health")).json() == {"status": "degraded"}
    assert (await client.get(METRICS, headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 503


async def test_a_directory_that_another_process_created_again_is_degraded(
    client: httpx.AsyncClient, folder: Path
) -> None:
    shutil.rmtree(folder)
    MetricsDirectory(folder)
    assert (await client.get(f"{METRICS}/health")).json() == {"status": "degraded"}


class TestToken:
    @pytest.fixture(autouse=True)
    def deployed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        monkeypatch.setenv("PUBLIC_URL", "https://api.example.org")

    def test_is_required_outside_local(self) -> None:
        with pytest.raises(ConfigurationError, match="METRICS_TOKEN is required outside local"):
            load_settings([Settings, MetricsSettings])

    @pytest.mark.parametrize("value", ["short", "change-me-" * 5])
    def test_must_be_a_strong_secret(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("METRICS_TOKEN", value)
        with pytest.raises(ConfigurationError, match="METRICS_TOKEN"):
            load_settings([Settings, MetricsSettings])

    @pytest.mark.parametrize("character", ["é", "\u2003", '"', ","])
    def test_has_only_characters_that_a_client_can_send(self, monkeypatch: pytest.MonkeyPatch, character: str) -> None:
        monkeypatch.setenv("METRICS_TOKEN", TOKEN + character + "x")
        with pytest.raises(ConfigurationError, match="METRICS_TOKEN may contain only letters and digits"):
            load_settings([Settings, MetricsSettings])

    def test_is_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("METRICS_TOKEN", TOKEN)
        assert TOKEN not in repr(load_settings([Settings, MetricsSettings])[MetricsSettings])
