"""The scripts and styles of the browser admin: what they may not contain."""

import re

import pytest

from app.admin.ui.files import FOLDER

SCRIPTS = sorted(path.name for path in FOLDER.glob("*.js"))
STYLES = sorted(path.name for path in FOLDER.glob("*.css"))
DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|\beval\(|new Function"
    r"|srcdoc|javascript:|\.style\b|localStorage|sessionStorage|indexedDB|document\.cookie"
)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_writes_no_html_and_stores_nothing(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")

    assert not DANGEROUS.findall(text)
    assert len(text.splitlines()) <= 150


@pytest.mark.parametrize("name", [*SCRIPTS, *STYLES, "index.html"])
def test_a_file_loads_nothing_from_elsewhere(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")

    # The name of a namespace is no address.
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)|url\(|@import|\bimport\(", text)
    imported = re.findall(r'from "([^"]+)"', text)
    assert all(each.startswith("./") and (FOLDER / each).is_file() for each in imported)


def test_every_script_is_reached_from_the_first() -> None:
    reached, todo = set(), ["main.js"]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += re.findall(r'from "\./([^"]+)"', (FOLDER / name).read_text(encoding="utf-8"))

    assert sorted(reached) == SCRIPTS


def test_all_files_together_are_small() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 80_000
