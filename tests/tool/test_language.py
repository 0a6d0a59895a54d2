"""The texts that users of the tool read are plain English: none of the phrases that had to be read twice."""

import re
from collections.abc import Iterator

import pytest
import typer.main
from omnistack import cli
from omnistack.template.catalog import load_catalog

from tests.conftest import CHECKOUT

AVOIDED = re.compile(
    r"\b(nobody|somebody|whoever|told|tells|wish(es|ed)?|comes along|come along|may be had|in the midst|is no|are no|"
    r"what is there|what there is|goes its way|all the same|as it lies|none of (ours|yours))\b",
    re.IGNORECASE,
)


def texts() -> Iterator[tuple[str, str]]:
    """List every text of the questions, the catalog, `--help` and the guide, with its place."""
    catalog = load_catalog(CHECKOUT)
    for question in catalog.questions.values():
        yield f"copier.yml: {question.name}", " ".join([question.help, *(choice.label for choice in question.choices)])
    for piece in catalog.pieces:
        yield f"{piece.name}.yml", f"{piece.label}. {piece.help}"
    for name, command in typer.main.get_group(cli.app).commands.items():
        if name in {"prove", "suites"}:
            continue
        helps = [getattr(parameter, "help", "") or "" for parameter in command.params]
        yield f"omnistack {name} --help", " ".join([command.help or "", *helps])
    for file in [*(CHECKOUT / "docs/guide").glob("*.md"), CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md"]:
        yield file.name, file.read_text(encoding="utf-8")
    yield "_message_after_copy", str(re.search(r"(?s)_message_after_copy:.*?\n\n#", questions_file()))


def questions_file() -> str:
    return (CHECKOUT / "copier.yml").read_text(encoding="utf-8")


TEXTS = dict(texts())


@pytest.mark.parametrize("place", TEXTS)
def test_a_text_is_read_once(place: str) -> None:
    assert [match[0] for match in AVOIDED.finditer(TEXTS[place])] == []


def test_questions_and_choices_are_labels() -> None:
    for question in load_catalog(CHECKOUT).questions.values():
        assert not question.help.endswith("?"), question.name
        assert all(choice.label[0].isupper() or choice.label[0].isdigit() for choice in question.choices), question.name
