"""The platforms' files in projects that keep their files on the local disk, and in the smallest ones."""

from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
PLATFORMS = ("fly", "render", "railway", "kamal")
FILES = {
    "fly": "fly.toml",
    "render": "render.yaml",
    "railway": "docs/deploy-railway.md",
    "kamal": "config/deploy.yml",
}
FOLDER = "/srv/files"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_only_files_on_the_local_disk_need_a_volume(platform: str) -> None:
    renderer = Renderer(ROOT)
    for storage in ("local", "s3", "none"):
        files = renderer.render({"preset": "custom", "storage": storage, platform: True})
        assert (FOLDER in files[FILES[platform]].content.decode()) == (storage == "local")


@pytest.mark.slow
def test_the_files_fit_the_smallest_project_and_one_with_local_files(tmp_path: Path) -> None:
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    platforms = dict.fromkeys((*PLATFORMS, "kubernetes"), True)
    for name, answers in {"smallest": {}, "files": {"storage": "local", "jobs": True, "redis": True}}.items():
        folder = tmp_path / name
        write(Renderer(ROOT).render({"preset": "custom"} | answers | platforms), folder)
        site = Site(folder=folder, environment=variables)
        site.run("uv", "sync", "--quiet")
        site.run("uv", "run", "--no-sync", "pytest", "-q", "tests/deployment")
