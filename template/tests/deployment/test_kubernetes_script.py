"""The script kubernetes/deploy, with a program in place of kubectl that notes its arguments and its input."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.deployment.deployment import ROOT

SCRIPT = ROOT / "kubernetes" / "deploy"
IMAGE = "registry.example.com/app:1a2b3c4"
KUBECTL = """#!/bin/sh
printf '%s\\n' "$*" >> "$NOTES"
case "$*" in
  *"--filename -"*) cat >> "$NOTES" ;;
esac
case "$*" in
  *"get job migrate"*active*) printf '%s' "$ACTIVE" ;;
  *"get job migrate"*name*) printf '%s' "$JOB" ;;
  *"get deployment"*) printf 7 ;;
esac
case "$*" in
  *"$FAILS"*) exit 1 ;;
  *" wait "*) [ -n "$JOB" ] || exit 1 ;;
esac
"""
NOTHING = "no such call"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    return tmp_path / "notes"


def deploy(
    notes: Path, *arguments: str, fails: str = NOTHING, active: str = "", job: str = "job.batch/migrate"
) -> subprocess.CompletedProcess[str]:
    path = f"{notes.parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "NOTES": str(notes), "FAILS": fails, "ACTIVE": active, "JOB": job}
    return subprocess.run(
        [str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_migrates_before_it_rolls_out(notes: Path) -> None:
    done = deploy(notes, IMAGE)
    assert done.returncode == 0, done.stderr
    said = notes.read_text()
    order = ["apply --filename namespace.yaml", "kind: Job", "wait job/migrate", "kind: Deployment", "rollout status"]
    assert sorted(order, key=said.index) == order
    assert f"image: {IMAGE}" in said
    assert "image: IMAGE" not in said
    assert "undo" not in said


def test_a_migration_that_fails_leaves_the_running_release(notes: Path) -> None:
    done = deploy(notes, IMAGE, fails="condition=complete")
    assert done.returncode == 1
    assert "The migration failed" in done.stderr
    assert "kind: Deployment" not in notes.read_text()


def test_a_release_that_does_not_become_ready_is_undone(notes: Path) -> None:
    done = deploy(notes, IMAGE, fails="rollout status deployment/app")
    assert done.returncode == 1
    assert "rollout undo deployment/app --to-revision=7" in notes.read_text()


def test_a_migration_of_another_deployment_is_left_alone(notes: Path) -> None:
    done = deploy(notes, IMAGE, active="1")
    assert done.returncode == 1
    assert "Another deployment is migrating" in done.stderr
    assert "delete job" not in notes.read_text()


def test_a_job_that_is_gone_ends_the_wait(notes: Path) -> None:
    done = deploy(notes, IMAGE, job="")
    assert done.returncode == 1
    assert "is gone" in done.stderr
    assert "kind: Deployment" not in notes.read_text()


def test_nothing_happens_without_the_secret(notes: Path) -> None:
    done = deploy(notes, IMAGE, fails="get secret app")
    assert done.returncode == 1
    assert "docs/deploy-kubernetes.md" in done.stderr
    assert "kind: Job" not in notes.read_text()


def test_the_rollback_migrates_nothing(notes: Path) -> None:
    assert deploy(notes, "--without-migration", IMAGE).returncode == 0
    assert "kind: Job" not in notes.read_text()
    assert "kind: Deployment" in notes.read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["app"],
        ["registry.example.com/app:latest"],
        ["registry.example.com:5000/app"],
        ["app:1|e id"],
        ["app:1", "app:2"],
        ["--without-migration"],
    ],
)
def test_an_unusable_image_changes_nothing(notes: Path, arguments: list[str]) -> None:
    assert deploy(notes, *arguments).returncode == 2
    assert not notes.exists()
