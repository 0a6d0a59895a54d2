"""The hook .kamal/hooks/pre-deploy, with programs in place of kamal and ssh that record their arguments and input."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.deployment.deployment import ROOT

HOOK = ROOT / ".kamal" / "hooks" / "pre-deploy"
KAMAL = """#!/bin/sh
printf 'kamal %s\\n' "$*" >> "$NOTES"
cat <<'END'
---
:roles:
- app
:primary_host: 203.0.113.10
:absolute_image: localhost:5555/shop:1a2b3c4
:ssh_options:
  :user: deploy
  :port: 2222
END
"""
SSH = """#!/bin/sh
printf 'ssh %s\\n' "$*" >> "$NOTES"
cat >> "$NOTES"
exit "$EXIT"
"""
SETTINGS = "SECRET_KEY=sesame\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "production.env").write_text(SETTINGS)
    for name, text in {"kamal": KAMAL, "ssh": SSH}.items():
        program = tmp_path / name
        program.write_text(text)
        program.chmod(0o755)
    (tmp_path / ".kamal" / "hooks").mkdir(parents=True)
    shutil.copy(HOOK, tmp_path / ".kamal" / "hooks")
    return tmp_path


def run(project: Path, exit_code: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": f"{project}:{os.environ['PATH']}",
        "NOTES": str(project / "notes"),
        "EXIT": str(exit_code),
        "KAMAL_VERSION": "1a2b3c4",
        "KAMAL_COMMAND": "deploy",
    }
    hook = project / ".kamal" / "hooks" / HOOK.name
    return subprocess.run(
        [str(hook)], env=environment | variables, cwd="/", capture_output=True, text=True, timeout=60, check=False
    )


def test_migrates_once_with_the_new_image_and_the_settings(project: Path) -> None:
    done = run(project)
    assert done.returncode == 0, done.stderr
    asked, command, settings = (project / "notes").read_text().splitlines()
    assert asked == "kamal config --version 1a2b3c4"
    assert command.startswith("ssh -p 2222 deploy@203.0.113.10 docker run --rm ")
    assert " localhost:5555/shop:1a2b3c4 app db " in command
    assert settings == SETTINGS.strip()
    assert "sesame" not in command


def test_a_migration_that_fails_stops_the_release(project: Path) -> None:
    assert run(project, exit_code=3).returncode == 3


def test_the_rollback_migrates_nothing(project: Path) -> None:
    assert run(project, KAMAL_COMMAND="rollback").returncode == 0
    assert not (project / "notes").exists()


def test_without_settings_nothing_runs(project: Path) -> None:
    (project / "production.env").unlink()
    done = run(project)
    assert done.returncode == 1
    assert "production.env is missing" in done.stderr
    assert not (project / "notes").exists()


def test_a_destination_has_settings_of_its_own(project: Path) -> None:
    (project / "staging.env").write_text("SECRET_KEY=other\n")
    assert run(project, KAMAL_DESTINATION="staging").returncode == 0
    said = (project / "notes").read_text()
    assert "kamal config --version 1a2b3c4 --destination staging" in said
    assert "SECRET_KEY=other" in said
    assert "sesame" not in said


def test_an_unreadable_configuration_stops_the_release(project: Path) -> None:
    (project / "kamal").write_text("#!/bin/sh\n")
    done = run(project)
    assert done.returncode == 1
    assert "no server or no image" in done.stderr
