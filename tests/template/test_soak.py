"""Two minutes of load on a rendered project of everything: no errors, no leaks, no drift."""

from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
NO_THRESHOLD = "60"
"""Seconds. Other tests run at the same time: the soak judges growth, not speed."""


@pytest.mark.slow
def test_a_soak_finds_no_errors_leaks_or_drift(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "everything"}), folder)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet", "--group", "load")
    site.run("uv", "run", "--no-sync", "mypy", "load")
    site.run("uv", "run", "--no-sync", "python", "-m", "load", "soak", "--p95", NO_THRESHOLD)
