"""A real Prometheus scrapes a rendered project under load: every panel has data, and the alerts are right."""

import shutil
import subprocess
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(__file__).with_name("monitoring_run.py")
RULES = ROOT / "template" / "monitoring" / "prometheus"


def promtool(*arguments: str) -> None:
    """Run promtool, and fail with its output."""
    program = shutil.which("promtool")
    assert program is not None, "Install Prometheus: apt-get install prometheus (.ci/run does)"
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_rules_are_valid_and_fire_when_they_should() -> None:
    promtool("check", "rules", *map(str, sorted((RULES / "rules").glob("*.yml"))))
    tests = sorted((RULES / "tests").glob("*.yml"))
    assert len(tests) == len(list((RULES / "rules").glob("*.yml")))
    promtool("test", "rules", *map(str, tests))


@pytest.mark.slow
def test_every_panel_has_data_and_no_alert_fires_in_a_healthy_project(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "everything"}), folder)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    site.run("uv", "run", "--no-sync", "python", "-c", RUN.read_text(encoding="utf-8"))
