"""A rendered project on its own server survives deployments, failures and a rollback under load, behind Caddy."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.catalog import load_catalog
from omnistack.template.render import Renderer

from attack.own_server.namespace import command_line

ROOT = Path(__file__).resolve().parents[2]
PIECES = ("redis", "jobs", "openai", "projects", "websocket", "metrics", "own_server")


@pytest.mark.slow
@pytest.mark.namespaces
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


def seconds(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in the text"
    return float(found[1])


def default(name: str) -> float:
    settings = [setting for piece in load_catalog(ROOT).pieces for setting in piece.settings]
    return float(next(setting.default or "" for setting in settings if setting.name == name))


def test_timeouts_of_the_proxy_and_of_docker_fit_those_of_the_application() -> None:
    caddy = (ROOT / "template/own-server/caddy/Caddyfile").read_text(encoding="utf-8")
    serve = (ROOT / "template/app/cli/serve.py").read_text(encoding="utf-8")
    compose = (ROOT / "template/compose.production.yaml.jinja").read_text(encoding="utf-8")
    assert seconds(r"keepalive (\d+)s", caddy) < default("HTTP_KEEP_ALIVE_TIMEOUT")
    interval, delay = seconds(r"health_interval (\d+)s", caddy), default("HTTP_DRAIN_DELAY")
    assert interval < delay
    assert seconds(r"stop_grace_period: (40)s", compose) > delay + seconds(r"GRACE_SECONDS = (\d+)", serve)


@pytest.mark.parametrize("pieces", [{}, {"redis": True, "jobs": True, "storage": "local", "metrics": True}])
def test_the_compose_file_is_valid_and_hardened(pieces: dict[str, object], tmp_path: Path) -> None:
    write(Renderer(ROOT).render({"preset": "custom", "own_server": True, **pieces}), tmp_path)
    file = tmp_path / "compose.production.yaml"
    subprocess.run(["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)], check=True)
    services = yaml.safe_load(file.read_text(encoding="utf-8"))["services"]
    for name, service in services.items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["deploy"]["resources"]["limits"]["memory"], name
        assert service["restart"] == ("no" if name == "release" else "unless-stopped"), name
        assert "build" not in service, name
        assert ("ports" in service) == (name == "caddy"), name


def program(folder: Path, name: str, text: str) -> dict[str, str]:
    """Return an environment in which a program is a shell script."""
    file = folder / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return {"PATH": f"{file.parent}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("KEY=pa$word", True),
        ('KEY="pa$word"', True),
        ("KEY=$word", True),
        ("KEY=word$", True),
        ("KEY=pa$$$word", True),
        ("KEY=pa$$word", False),
        ("KEY='pa$word'", False),
        ("KEY=${OTHER}", False),
        ("# KEY=$word", False),
    ],
)
def test_a_setting_that_compose_would_change_is_refused(line: str, *, refused: bool, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "template/own-server", tmp_path / "own-server")
    (tmp_path / ".env").write_text(f"{line}\n")
    environment = program(tmp_path, "docker", "exit 1")
    command = [str(tmp_path / "own-server/deploy"), "deploy", "v1"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert ("Write each dollar sign twice in .env: KEY" in done.stderr) is refused
    assert "word" not in done.stderr


@pytest.mark.parametrize(
    ("variable", "code"),
    [("TAG=v1", 0), ("TAG=v1;id", 2), ("TAG=`id`", 2), ("SERVER_DIR=a b", 2), ("SERVER='\"`touch ran`", 0)],
)
def test_make_runs_nothing_that_is_in_a_variable(variable: str, code: int, tmp_path: Path) -> None:
    shutil.copy(ROOT / "template/own-server/make.mk", tmp_path / "Makefile")
    environment = program(tmp_path, "ssh", 'printf "%s\\n" "$@" > arguments')
    done = subprocess.run(
        ["make", "rollback", "SERVER=me@example.com", "TAG=v1", variable],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert not (tmp_path / "ran").exists()
    if code == 0:
        arguments = (tmp_path / "arguments").read_text().splitlines()
        server = variable.removeprefix("SERVER=") if variable.startswith("SERVER=") else "me@example.com"
        assert arguments == ["--", server, "app/own-server/deploy rollback"]


def test_make_deploy_copies_the_committed_files_and_deploys(tmp_path: Path) -> None:
    project, server = tmp_path / "project", tmp_path / "server"
    server.mkdir()
    shutil.copytree(ROOT / "template/own-server", project / "own-server")
    (project / "app").mkdir()
    (project / "app/main.py").touch()
    (project / "Makefile").write_text("include own-server/make.mk\n")
    git = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", "-C", str(project)]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "First"]):
        subprocess.run([*git, *arguments], check=True)
    (project / ".env").write_text("SECRET=1\n")
    environment = program(tmp_path, "ssh", f'[ "$1 $2" = "-- me@example.com" ] && cd {server} && exec sh -c "$3"')
    make = ["make", "deploy", "SERVER=me@example.com"]
    done = subprocess.run(make, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert "Failed: .env does not exist. Copy it to this server" in done.stderr
    assert (server / "app/own-server/deploy").exists()
    assert not (server / "app/app").exists()


def test_the_page_names_only_commands_and_settings_that_exist() -> None:
    page = (ROOT / "template/docs/deploy-own-server.md").read_text(encoding="utf-8")
    script = (ROOT / "template/own-server/deploy").read_text(encoding="utf-8")
    targets = (ROOT / "template/own-server/make.mk").read_text(encoding="utf-8")
    settings = {setting.name for piece in load_catalog(ROOT).pieces for setting in piece.settings}
    commands = set(re.findall(r"own-server/deploy ([a-z]+)", page))
    assert commands
    assert all(f"\n  {command})" in script for command in commands)
    assert all(f"\n{target}:" in targets for target in re.findall(r"(?:`|^ *)make ([a-z-]+)", page, re.MULTILINE))
    assert set(re.findall(r"\b[A-Z]+_[A-Z_]+\b", page)) - {"SMOKE_TEST_CA"} <= settings
