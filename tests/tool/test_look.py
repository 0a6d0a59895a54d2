"""`omnistack list` and `omnistack why`: they only look."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from omnistack.shell.progress import out

from tests.conftest import commit_all, git
from tests.tool.conftest import Run, write
from tests.tool.test_new_refuses import add_billing

QUIET = ("--defaults", "--no-sync")


@pytest.fixture
def project(run: Run, tmp_path: Path) -> Path:
    """A project with Clerk and projects, its template since changed."""
    made = run("new", tmp_path / "made", "-d", "auth=clerk", *QUIET)
    assert made.status == 0, made.err
    return tmp_path / "made"


def test_the_table_shows_each_piece_and_what_it_brings(run: Run) -> None:
    shown = run("list").out
    for text in ("projects=true", "auth=clerk", "in every project", "CLERK_ISSUER_URL", "app/projects", "fastapi>="):
        assert text in shown


@pytest.mark.parametrize("width", [80, 100, 120])
def test_the_table_is_read_in_every_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out.cache_clear()
    try:
        lines = run("list").out.splitlines()
    finally:
        out.cache_clear()
    table = lines[:-1]
    assert max(map(len, table)) <= width
    assert re.fullmatch(r" *piece +adds *", table[1])
    assert table[1].index("adds") <= 40
    assert any("settings: EMAIL_PROVIDER" in line for line in table)


def test_json_holds_all_that_is_known(run: Run) -> None:
    pieces = {piece["name"]: piece for piece in json.loads(run("list", "--json").out)}
    assert pieces["projects"]["chosen_by"] == "projects=true"
    own = ["app/projects", "tests/projects", "migrations/versions/projects", "load/scenarios/projects.py"]
    assert pieces["projects"]["paths"] == own
    assert {"users", "auth", "core"} <= set(pieces["projects"]["brings_along"])
    assert "projects" in pieces["users"]["required_by"]
    assert "chosen" not in pieces["projects"]


def test_a_project_marks_what_it_has(run: Run, project: Path) -> None:
    pieces = {piece["name"]: piece for piece in json.loads(run("list", "--json", "--project", project).out)}
    assert {name for name, piece in pieces.items() if piece["chosen"]} >= {"core", "auth", "clerk", "users", "projects"}
    assert not pieces["custom"]["chosen"]
    assert "clerk ✓" in run("list", "--project", project).out


def test_a_project_is_listed_as_of_its_own_version(run: Run, small: Path, project: Path) -> None:
    add_billing(small)
    assert "billing" in {piece["name"] for piece in json.loads(run("list", "--json").out)}
    assert "billing" not in {piece["name"] for piece in json.loads(run("list", "--json", "--project", project).out)}


def test_a_folder_that_is_no_project_is_refused(run: Run, tmp_path: Path) -> None:
    done = run("list", "--project", tmp_path)
    assert done.status == 1
    assert "is not in a project rendered from this template" in done.err


def test_it_is_quick_because_copier_is_not_imported() -> None:
    code = "import sys, omnistack.cli; print('copier' in sys.modules or 'questionary' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("app/projects/service.py", "app/projects/service.py: comes from projects=true."),
        ("app/projects", "app/projects: comes from projects=true."),
        ("app/auth/providers/clerk.py", "comes from auth=clerk."),
        ("app/main.py", "app/main.py: in every project."),
        ("app/auth", "app/auth: in every project, part of auth.\n  1 of its files: comes from auth=clerk"),
        ("README.md", "README.md: in every project; filled from: project_name."),
        (
            "app/modules.py",
            (
                "module of core, metrics, sentry, auth, backup, crypto, redis, users, websocket, audit_log, contact, "
                "email, feature_flags, impersonation, jobs, plans, projects, storage, admin, payments, stripe.\n"
            ),
        ),
        (
            ".env.example",
            (
                "the settings of core, metrics, sentry, auth, backup, crypto, own_server, redis, websocket, "
                "audit_log, clerk, contact, email, jobs, storage, admin, local, resend, stripe, s3.\n"
            ),
        ),
        (".copier-answers.yml", "filled from: all answers."),
        (".env", ".env: yours:"),
    ],
)
def test_why_names_the_answer(run: Run, project: Path, name: str, says: str) -> None:
    done = run("why", project / name)
    assert (done.status, done.err) == (0, "")
    assert says in done.out
    assert "changed" not in done.out


def test_why_knows_what_the_user_made(run: Run, project: Path) -> None:
    write(project / "app/projects/mine.py", "")
    write(project / "notes.txt", "")
    assert "notes.txt: yours." in run("why", project / "notes.txt").out
    done = run("why", project / "app/projects/mine.py")
    assert "yours." in done.out
    assert "omnistack remove projects" in done.out
    assert "yours: app/projects/mine.py" in run("why", project / "app/projects").out
    shown = run("why", project).out
    assert "yours: app/projects/mine.py, notes.txt" in shown


def test_why_knows_what_the_user_changed_or_deleted(run: Run, project: Path) -> None:
    write(project / "app/main.py", "changed = True\n")
    (project / "README.md").unlink()
    assert "You changed it" in run("why", project / "app/main.py").out
    assert "You deleted it" in run("why", project / "README.md").out


def test_why_knows_what_is_rendered_only_once(run: Run, small: Path, tmp_path: Path) -> None:
    write(small / "template/app/project_modules.py", "MODULES = ()\n")
    commit_all(small, "A file for the user")
    run("new", tmp_path / "made", *QUIET)
    write(tmp_path / "made/app/project_modules.py", "MODULES = (1,)\n")
    shown = run("why", tmp_path / "made/app/project_modules.py").out
    assert shown.splitlines()[1] == "Rendered once: it is yours to change, and no update changes it."


def test_why_reads_the_version_that_the_project_is_from(run: Run, small: Path, project: Path) -> None:
    write(small / "template/app/main.py", '"""The next version."""\n')
    commit_all(small, "Next")
    assert "changed" not in run("why", project / "app/main.py").out


def test_why_works_from_within_the_project(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project / "app")
    assert run("why", "main.py").out == "app/main.py: in every project.\n"
    assert ".: in every project." in run("why", "..").out


def test_a_file_is_named_from_within_or_by_its_project(
    run: Run, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("why", "app/main.py", "--project", project).out == "app/main.py: in every project.\n"
    assert run("why", "app/main.py", "--project", project / "app").out == "app/main.py: in every project.\n"
    assert "is not in a project" in run("why", "app/main.py").err


def test_other_line_ends_are_no_change(run: Run, project: Path) -> None:
    git(project, "config", "core.autocrlf", "true")
    file = project / "app/main.py"
    file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    assert run("why", file).out == "app/main.py: in every project.\n"


def test_why_tells_what_would_bring_a_missing_file(run: Run, project: Path) -> None:
    done = run("why", project / "app/auth/providers/custom.py")
    assert done.status == 1
    assert "which is part of custom (auth=custom). to add it, run `omnistack add custom`." in done.err


def test_why_refuses_what_is_nowhere(run: Run, project: Path, tmp_path: Path) -> None:
    assert "has no file nothing.py" in run("why", project / "nothing.py").err
    assert "is not in a project" in run("why", tmp_path / "elsewhere.txt").err


def test_why_says_where_to_look_when_the_template_is_gone(
    run: Run, small: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMNISTACK_TEMPLATE")
    small.rename(tmp_path / "moved")
    done = run("why", project / "app/main.py")
    assert done.status == 1
    assert f"this project records its template as {small}, a folder that does not exist on this machine." in done.err
    assert (
        run("why", project / "app/main.py", "--template", tmp_path / "moved").out == "app/main.py: in every project.\n"
    )


def test_a_piece_that_came_along_names_who_brought_it(run: Run, small: Path, tmp_path: Path) -> None:
    catalog = small / "extensions/catalog"
    text = (catalog / "projects.yml").read_text()
    ledger = text.replace("name: projects", "name: ledger", 1).replace("module: projects", "module: null")
    ledger = "\n".join("paths: [ledger.txt]" if line.startswith("paths:") else line for line in ledger.splitlines())
    (catalog / "ledger.yml").write_text(ledger + "\n")
    (catalog / "projects.yml").write_text(text.replace("requires: [core, users]", "requires: [core, users, ledger]"))
    write(small / "template/ledger.txt", "")
    commit_all(small, "Ledger")
    run("new", tmp_path / "made", *QUIET)
    assert run("why", tmp_path / "made/ledger.txt").out == "ledger.txt: part of ledger, which projects=true requires.\n"


def test_looking_changes_nothing(run: Run, project: Path) -> None:
    run("why", project / "app")
    run("list", "--project", project)
    assert git(project, "status", "--porcelain") == ""
