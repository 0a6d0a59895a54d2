"""A rendered project works behind PgBouncer in transaction mode."""

import shutil
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(__file__).with_name("pgbouncer_run.py")
PROGRAM = "pgbouncer"


@pytest.mark.slow
def test_migrations_and_sessions_work_behind_pgbouncer(tmp_path: Path) -> None:
    program = shutil.which(PROGRAM) or shutil.which(PROGRAM, path="/usr/sbin")
    assert program is not None, "Install PgBouncer: apt-get install pgbouncer (.ci/run does)"
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "minimal"}), folder)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    site.run("uv", "run", "--no-sync", "python", "-c", RUN.read_text(encoding="utf-8"), program)
