"""A rendered project on its own server survives deployments, failures and a rollback under load, behind Caddy."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

from attack.own_server.namespace import command_line

ROOT = Path(__file__).resolve().parents[2]
PIECES = ("redis", "jobs", "openai", "projects", "websocket", "metrics", "own_server")


@pytest.mark.slow
def test_deployments_under_load_lose_no_request(tmp_path: Path) -> None:
    for program in ("caddy", "unshare", "ip", "flock", "openssl", "redis-server"):
        assert shutil.which(program), f"Install {program} (.ci/run does)"
    project, work = tmp_path / "project", tmp_path / "work"
    work.mkdir()
    answers = {"preset": "custom", "storage": "local", **dict.fromkeys(PIECES, True)}
    write(Renderer(ROOT).render(answers), project)
    variables = environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "bytecode")
    Site(folder=project, environment=variables).run("uv", "sync", "--quiet")
    python = str(project / ".venv" / "bin" / "python")
    command = command_line(work, [python, "-m", "own_server.scenario", str(project), str(work)])
    done = subprocess.run(
        command,
        cwd=project,
        env=variables | {"PYTHONPATH": os.pathsep.join([str(ROOT / "attack"), str(project)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
