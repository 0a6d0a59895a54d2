"""A thousand random histories of subscriptions at each provider, in a rendered project. The seeds are printed."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

from tests.template.test_own_module_page import ROOT

HISTORIES = {
    "stripe": "tests/stripe/histories",
    "apple_iap": "tests/apple_iap/test_histories.py",
    "google_iap": "tests/google_iap/test_histories.py",
}


@pytest.mark.slow
@pytest.mark.parametrize("provider", HISTORIES)
def test_a_thousand_histories_converge(tmp_path: Path, provider: str) -> None:
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "minimal", provider: True}), folder)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "code")
    site = Site(folder=folder, environment=variables | {"HYPOTHESIS_PROFILE": "thorough"})
    site.run("uv", "sync", "--quiet")
    seeds = [secrets.randbelow(1_000_000) for _process in range(2)]
    print(f"The seeds are {seeds}.")

    def run(seed: int) -> None:
        # 500 histories each, which take longer than a test of the project may.
        options = ("--timeout", "1200", "--hypothesis-seed", str(seed))
        site.run("uv", "run", "pytest", "-q", HISTORIES[provider], *options)

    with ThreadPoolExecutor() as pool:
        list(pool.map(run, seeds))
