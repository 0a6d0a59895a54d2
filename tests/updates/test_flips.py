"""Every answer, flipped and flipped back by a real update, is what a fresh render of the answers is, byte for byte."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from omnistack.catalog import Catalog, load_catalog

from tests.updates.test_update import contents
from tests.updates.workshop import ROOT, MakeProject, Project

pytestmark = pytest.mark.slow

CATALOG: Catalog = load_catalog(ROOT)
BARE: dict[str, str | bool] = {"preset": "minimal"}


def booleans() -> list[str]:
    return [piece.name for piece in CATALOG.pieces if piece.question in CATALOG.questions and not piece.port]


def providers() -> Iterator[tuple[str, str]]:
    for name, question in CATALOG.questions.items():
        given = [str(value) for value in question.values]
        if any(piece.port == name for piece in CATALOG.pieces):
            yield from ((name, value) for value in given if value in CATALOG)


def answered(made: Project) -> dict[str, str | bool]:
    return {name: value for name, value in made.answers().items() if not name.startswith("_")}


@pytest.mark.parametrize("piece", booleans())
def test_a_piece_added_and_removed_again(project: MakeProject, fresh: Callable[..., Path], piece: str) -> None:
    made = project(**BARE)
    before = made.files()
    for command, value in (("add", True), ("remove", False)):
        ran = made.omnistack(command, piece, "--yes")
        assert ran.status == 0, ran.text
        assert made.answers()[piece] is value
        assert contents(made.root) == contents(fresh(**answered(made)))
        made.commit(f"{command} {piece}")
    if not set(CATALOG.requires(piece)) & set(booleans()):
        assert made.files() == before


@pytest.mark.parametrize(("port", "provider"), list(providers()))
def test_a_provider_taken_and_given_back(
    project: MakeProject, fresh: Callable[..., Path], port: str, provider: str
) -> None:
    made = project(**BARE)
    first = str(made.answers()[port])
    if provider == first:
        provider, first = next(other for name, other in providers() if name == port and other != first), provider
    before = made.files()
    back = ["remove", provider] if first == "none" else ["add", first]
    for command in (["add", provider], back):
        ran = made.omnistack(*command, "--yes")
        assert ran.status == 0, ran.text
        assert contents(made.root) == contents(fresh(**answered(made)))
        made.commit(" ".join(command))
    assert made.files() == before
