"""Every answer, flipped and flipped back by a real update, on a project and a database that have lived.

The project has a module, a package and a revision of its user's, and rows in its tables. After each flip it is, apart
from those, what a fresh render of the answers is, byte for byte; the database agrees with the models; the user's rows
are all there. The conflicts are counted and told at the end of the test run.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from omnistack.template.catalog import Catalog, load_catalog

from tests.updates.database import NEW_INVOICE, NEW_USER, ROWS, THE_USERS_ROWS, Database
from tests.updates.own import PACKAGE, add_own_module, add_own_package
from tests.updates.test_update import contents
from tests.updates.workshop import ROOT, Project

pytestmark = pytest.mark.slow

CATALOG: Catalog = load_catalog(ROOT)
BARE: dict[str, str | bool] = {"preset": "minimal", "github_actions": False}
DOWNGRADE = re.compile(r"uv run app (?P<command>db downgrade \S+)")
CHECK = ["db", "check"]
UPGRADE = ["db", "upgrade"]


def booleans() -> list[str]:
    return [piece.name for piece in CATALOG.pieces if piece.question in CATALOG.questions and not piece.port]


def providers() -> Iterator[tuple[str, str]]:
    for name, question in CATALOG.questions.items():
        given = [str(value) for value in question.values]
        if any(piece.port == name for piece in CATALOG.pieces):
            yield from ((name, value) for value in given if value in CATALOG)


@dataclass(frozen=True)
class Lived:
    """A project that somebody has built upon, and its database."""

    made: Project
    database: Database
    own: frozenset[str]
    """The files that are the user's own."""

    def answers(self) -> dict[str, str | bool]:
        return {name: value for name, value in self.made.answers().items() if not name.startswith("_")}

    def flip(self, *command: str) -> int:
        """Change the choice as its user would, with the database; the number of conflicts."""
        if command[0] == "remove":
            # Tables go first, while the revisions that know how are still there; the tool says which.
            foretold = self.made.omnistack(*command, "--dry-run").out
            if steps := [[*match["command"].split(), "--yes"] for match in DOWNGRADE.finditer(foretold)]:
                self.database.run(*steps)
        tables = self.tables()
        ran = self.made.omnistack(*command, "--yes")
        conflicts = self.made.git("diff", "--name-only", "--diff-filter=U").split()
        assert ran.status == bool(conflicts), ran.text
        if self.tables() != tables:
            told = self.database.run(UPGRADE, CHECK, *THE_USERS_ROWS)
            assert told.splitlines()[-2:] == ROWS
            assert "agree" in told
        self.made.commit(" ".join(command))
        return len(conflicts)

    def tables(self) -> set[str]:
        return {path for path in self.made.files() if path.startswith("migrations/versions/") and path.endswith(".py")}

    def rendered(self) -> dict[str, bytes]:
        """The template's files, without what the user wrote into them."""
        files = {path: content for path, content in contents(self.made.root).items() if path not in self.own}
        files["pyproject.toml"] = files["pyproject.toml"].replace(f"    {PACKAGE},\n".encode(), b"")
        return files


@pytest.fixture(scope="module")
def original(
    complete_fresh: Callable[..., Path], python: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Path, frozenset[str]]:
    """Build upon a project once: its folder, its database and the user's own files."""
    folder = tmp_path_factory.mktemp("lived")
    made = Project(folder / "project")
    shutil.copytree(complete_fresh(**BARE), made.root)
    made.start()
    before = set(made.files())
    add_own_module(made)
    add_own_package(made)
    database = Database(made, python, f"sqlite+aiosqlite:///{folder / 'mine.db'}")
    database.run(UPGRADE, ["db", "revision", "-m", "Invoices"])
    database.run(UPGRADE, NEW_USER, NEW_INVOICE, CHECK)
    for cache in list(made.root.rglob("__pycache__")):
        shutil.rmtree(cache)
    made.commit("Invoices")
    return made.root, folder / "mine.db", frozenset({*(set(made.files()) - before), "app/project_modules.py"})


@pytest.fixture
def lived(original: tuple[Path, Path, frozenset[str]], python: Path, tmp_path: Path) -> Lived:
    """Such a project, to be changed."""
    root, rows, own = original
    made = Project(tmp_path / "project")
    shutil.copytree(root, made.root)
    made.write(".git/info/exclude", ".env\n__pycache__/\n")
    shutil.copy(rows, tmp_path / "mine.db")
    return Lived(made, Database(made, python, f"sqlite+aiosqlite:///{tmp_path / 'mine.db'}"), own)


@pytest.mark.parametrize("piece", booleans())
def test_a_piece_added_and_removed_again(
    lived: Lived, complete_fresh: Callable[..., Path], piece: str, record_property: Callable[[str, object], None]
) -> None:
    before = contents(lived.made.root)
    conflicts = []
    for command, value in (("add", True), ("remove", False)):
        conflicts.append(lived.flip(command, piece))
        assert lived.made.answers()[piece] is value
        expected = contents(complete_fresh(**lived.answers()))
        assert lived.rendered() == without_own(expected, lived)
    record_property("conflicts", sum(conflicts))
    assert not sum(conflicts)
    if not set(CATALOG.requires(piece)) & set(booleans()):
        assert contents(lived.made.root) == before


@pytest.mark.parametrize(("port", "provider"), list(providers()))
def test_a_provider_taken_and_given_back(
    lived: Lived,
    complete_fresh: Callable[..., Path],
    port: str,
    provider: str,
    record_property: Callable[[str, object], None],
) -> None:
    first = str(lived.made.answers()[port])
    if provider == first:
        provider = next(other for name, other in providers() if name == port and other != first)
    before = contents(lived.made.root)
    back = ["remove", provider] if first == "none" else ["add", first]
    conflicts = []
    for command in (["add", provider], back):
        conflicts.append(lived.flip(*command))
        assert lived.rendered() == without_own(contents(complete_fresh(**lived.answers())), lived)
    record_property("conflicts", sum(conflicts))
    assert not sum(conflicts)
    assert contents(lived.made.root) == before


def without_own(files: dict[str, bytes], lived: Lived) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if path not in lived.own}
