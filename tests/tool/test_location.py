"""Where the template is found: beside the program, or where the program was installed from."""

import json
import re
from pathlib import Path

import pytest
from omnistack.template import location
from omnistack.template.location import Location, is_remote, locate, parse_direct_url

from tests.conftest import CHECKOUT

SOURCES = CHECKOUT / "extensions/omnistack"


@pytest.mark.parametrize(
    ("document", "found"),
    [
        (
            {"url": "https://me:secret@example.com/o.git", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}},
            Location("git+https://example.com/o.git", "0123abc"),
        ),
        (
            {"url": "https://github.com/o/omnistack", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}},
            Location("https://github.com/o/omnistack", "0123abc"),
        ),
        ({"url": f"file://{CHECKOUT}", "dir_info": {}}, Location(str(CHECKOUT))),
        ({"url": "file:///nowhere", "dir_info": {}}, None),
        ({"url": "https://example.com/omnistack-1.0-py3-none-any.whl", "archive_info": {}}, None),
    ],
)
def test_an_installed_program_uses_the_repository_that_it_was_installed_from(
    document: dict[str, object], found: Location | None
) -> None:
    assert parse_direct_url(json.dumps(document)) == found


def test_a_checkout_uses_itself() -> None:
    assert locate() == Location(str(CHECKOUT))


def test_a_program_from_elsewhere_asks_for_the_template(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(location, "CHECKOUT", tmp_path)
    assert locate() == Location(str(CHECKOUT))  # as pip recorded it when this checkout was installed


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ("https://example.com/o.git", True),
        ("git@example.com:o.git", True),
        ("deploy@example.com:o.git", True),
        ("gh:o/omnistack", True),
        ("/home/me/a:b", False),
        ("../omnistack", False),
        (r"C:\omnistack", False),
    ],
)
def test_a_source_is_a_url_or_a_folder(source: str, *, remote: bool) -> None:
    assert is_remote(source) is remote


def test_one_module_alone_uses_the_private_api_of_copier() -> None:
    private = re.compile(r"^\s*(from|import) copier\._", re.MULTILINE)
    found = [file.name for file in SOURCES.rglob("*.py") if private.search(file.read_text(encoding="utf-8"))]
    assert found == ["copier_api.py"]
