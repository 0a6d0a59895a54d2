"""The page on one's own module: whoever types what stands there has a module that passes everything."""

import re
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
COPYING = "cp -r app/projects"
TYPING = "mkdir -p app/invoices"
BLOCK = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^`(?P<path>(?:app|tests)/[\w/]+\.py)`", re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize(("preset", "left_out"), [("minimal", COPYING), ("saas", TYPING)], ids=["typed", "copied"])
def test_every_step_works(preset: str, left_out: str, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": preset}), folder)
    url = f"sqlite+aiosqlite:///{tmp_path / 'database.db'}"
    variables = environment(url, types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode") | {
        "TEST_DATABASE_URL": url
    }
    site = Site(folder=folder, environment=variables)
    site.run("uv", "sync", "--quiet")
    page = (folder / "docs" / "own-module.md").read_text(encoding="utf-8")

    for step in BLOCK.finditer(page):
        text = step["text"]
        if step["kind"] == "python" and (left_out == COPYING or "project_modules" in named_before(step, page)):
            (folder / named_before(step, page)).write_text(text, encoding="utf-8")
        elif step["kind"] == "bash" and left_out not in text and "make dev" not in text and "curl" not in text:
            # Types take long, and the copy's are those of the original.
            site.run("bash", "-euo", "pipefail", "-c", text if left_out == COPYING else text.replace("make lint", ""))

    assert list((folder / "migrations" / "versions" / "app").glob("*_invoices.py"))


def named_before(step: re.Match[str], page: str) -> str:
    """The file that the page says the step's text goes into."""
    return str(FILE.findall(page, 0, step.start())[-1])
