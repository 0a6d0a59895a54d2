"""This repository's own history as releases: one edited project, updated in one jump and step by step."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from omnistack.template.catalog import load_catalog

from tests.updates.own import PACKAGE, add_own_module, add_own_package
from tests.updates.workshop import ROOT, Project, Repository, omnistack

pytestmark = pytest.mark.slow

COMMITS = ("621d8e0", "e89b58e", "07059af", "0570c09", "98f59c1")
RELEASES = [f"v0.{number}.0" for number in range(1, len(COMMITS) + 2)]
RENDERED_FROM = ("template", "extensions", "copier.yml")
EDITED = ("README.md", "Makefile", "compose.yaml", "app/main.py", "app/core/errors.py", "app/projects/repository.py")
MARKS = ("<<<<<<< ", "=======", ">>>>>>> ")
ANSWERED_ONCE = """\
{% macro provider(port) %}
{%- for piece in catalog | sort(attribute='name')
    if piece.port == port and preset in piece.presets and not is_update -%}
  {%- if loop.first %}{{ piece.name }}{% endif -%}
{%- endfor -%}
{% endmacro %}
{% macro includes(name) %}
{{- not is_update and preset in (catalog | selectattr('name', 'eq', name) | first).presets -}}
{% endmacro %}
"""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Release the tree of each commit, and what is checked out here as the last one.

    The old releases get the rule that a preset answers once, which was added after them.
    """
    made = Repository(tmp_path_factory.mktemp("history") / "template")
    subprocess.run(["git", "clone", "--quiet", "--shared", "--no-checkout", ROOT, made.root], check=True)
    made.git("checkout", "--quiet", "--orphan", "releases")
    made.git("rm", "--quiet", "-r", "--cached", ".")
    question = hidden_question()
    for commit, release in zip(COMMITS, RELEASES, strict=False):
        clear(made)
        made.git("checkout", "--quiet", commit, "--", *RENDERED_FROM)
        made.edit("copier.yml", "catalog:\n  type: yaml\n", f"{question}catalog:\n  type: yaml\n")
        made.write("extensions/catalog/presets.jinja", ANSWERED_ONCE)
        made.commit(f"As {commit}", release)
    clear(made)
    for name in ("template", "extensions"):
        ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", "omnistack")
        shutil.copytree(ROOT / name, made.root / name, ignore=ignored)
    shutil.copy2(ROOT / "copier.yml", made.root)
    made.commit("As it is here", RELEASES[-1])
    return made


def hidden_question() -> str:
    text = (ROOT / "copier.yml").read_text(encoding="utf-8")
    start = text.index("is_update:\n")
    return text[start : text.index("\n\n", start) + 2]


def clear(made: Repository) -> None:
    for name in RENDERED_FROM:
        path = made.root / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


@pytest.fixture
def lived_in(history: Repository, tmp_path: Path) -> Project:
    """A project of the first release that its user has edited in many places."""
    made = Project(tmp_path / "project")
    arguments = ("--preset", "saas", "--defaults", "--no-sync", "--vcs-ref", RELEASES[0])
    ran = omnistack("new", str(made.root), *arguments, "--template", str(history.root))
    assert ran.status == 0, ran.text
    add_own_module(made)
    add_own_package(made)
    for path in EDITED:
        made.write(path, "".join(edited(path, made.read(path))))
    made.commit("Mine")
    return made


def edited(path: str, text: str) -> Iterator[str]:
    """Add a comment before every third empty line, and at the end."""
    empty = 0
    for line in text.splitlines(keepends=True):
        empty += not line.strip()
        if not line.strip() and empty % 3 == 0:
            yield f"# mine: {path} {empty}\n"
        yield line
    yield f"# mine: {path} end\n"


def own_lines(made: Project) -> set[str]:
    """Find the user's lines, wherever they are."""
    texts = [content.decode(errors="replace") for content, _ in made.files().values()]
    return {line for text in texts for line in text.splitlines() if line.startswith("# mine: ")}


def resolve(made: Project, told: str) -> None:
    """Keep both sides of each conflict, and the deleted files that were edited, if the tool has named them."""
    for path in made.git("diff", "--name-only", "--diff-filter=U").split():
        assert f"  {path}:" in told, f"{path} has a conflict that was not listed:\n{told}"
        kept = [line for line in made.read(path).splitlines(keepends=True) if not line.startswith(MARKS)]
        made.write(path, "".join(kept))
    for path in EDITED:
        if not (made.root / path).exists() and f"  {path}: deleted: you edited it" in told:
            made.git("restore", "--source=HEAD", path)


@pytest.mark.parametrize("route", [RELEASES[-1:], RELEASES[1:]], ids=["one jump", "step by step"])
def test_no_line_is_lost_and_no_piece_is_turned_on(lived_in: Project, route: list[str]) -> None:
    before = own_lines(lived_in)
    assert len(before) > 3 * len(EDITED)
    chosen = {name: value for name, value in lived_in.answers().items() if not name.startswith("_")}
    for release in route:
        ran = lived_in.omnistack("update", "--to", release)
        conflicts = "Conflicts between" in ran.out
        assert ran.status == int(conflicts), ran.text
        resolve(lived_in, ran.out)
        assert own_lines(lived_in) == before, release
        lived_in.commit(release)
    answers = {name: value for name, value in lived_in.answers().items() if not name.startswith("_")}
    added = {name: value for name, value in answers.items() if name not in chosen}
    assert {name: value for name, value in answers.items() if name in chosen} == chosen
    assert added.keys() >= {"email", "storage", "redis", "jobs"}
    assert set(added.values()) == {"none", False}
    assert (lived_in.root / "app/invoices/models.py").is_file()
    assert PACKAGE in lived_in.read("pyproject.toml")
    optional = [piece for piece in load_catalog(ROOT).pieces if piece.name in {"email", "storage", "jobs", "ai"}]
    assert not [path for piece in optional for path in piece.paths if (lived_in.root / path).exists()]
