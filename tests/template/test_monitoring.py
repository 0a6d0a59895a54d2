"""The dashboards and alerts work with a real Prometheus that scrapes a rendered project under load."""

import shutil
import subprocess
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

from dashboards.__main__ import FOLDER
from dashboards.pages import DASHBOARDS

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(__file__).with_name("monitoring_run.py")


def test_the_rendered_dashboards_are_those_of_their_source() -> None:
    rendered = {file.stem: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
    assert rendered == {name: dashboard.to_text() for name, dashboard in DASHBOARDS.items()}


@pytest.mark.slow
def test_every_panel_has_data_and_alerts_fire_only_when_they_should(tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    assert promtool is not None, "Install Prometheus: apt-get install prometheus (.ci/run does)"
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "everything"}), folder)
    tests = sorted((folder / "monitoring" / "prometheus" / "tests").glob("*.yml"))
    assert tests
    subprocess.run([promtool, "test", "rules", *map(str, tests)], check=True)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    site.run("uv", "run", "--no-sync", "python", "-c", RUN.read_text(encoding="utf-8"))
