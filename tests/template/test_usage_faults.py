"""Usage billing with ten thousand records, killed processes and ten seconds without Stripe: sums exactly equal."""

from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
RECORDS = "10000"


@pytest.mark.slow
def test_sums_are_exactly_equal(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "custom", "stripe": True, "usage_billing": True}), folder)
    url = f"sqlite+aiosqlite:///{tmp_path / 'database.db'}"
    variables = environment(url, types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    site = Site(folder=folder, environment=variables | {"USAGE_FAULTS": RECORDS})
    site.run("uv", "sync", "--quiet")
    # On a private PostgreSQL server.
    site.run("uv", "run", "pytest", "-q", "tests/usage_billing/test_faults.py")
