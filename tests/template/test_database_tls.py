"""The TLS forms of DATABASE_URL, against a real PostgreSQL that accepts nothing else."""

from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
RUN = Path(__file__).with_name("tls_run.py")
DEBIAN = Path("/usr/lib/postgresql")


@pytest.mark.slow
def test_connections_are_encrypted_and_verified_as_the_url_says(tmp_path: Path) -> None:
    # The private server of rendered projects is built without TLS.
    servers = sorted(DEBIAN.glob("*/bin/postgres"))
    assert servers, "Install PostgreSQL: apt-get install postgresql (.ci/run does)"
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "minimal"}), folder)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    site.run("uv", "run", "--no-sync", "python", "-c", RUN.read_text(encoding="utf-8"), str(servers[-1].parent))
