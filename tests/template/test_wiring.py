"""A wiring file loops over the catalog; none names a piece."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes
from omnistack.template.catalog import load_catalog

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load_catalog(ROOT)
WIRING = sorted((ROOT / "template").rglob("*.jinja"))
# A port's name says of which providers there is a list; of these, none is named.
OPTIONAL = {piece.name for piece in CATALOG.pieces if not piece.always and not piece.is_port}
CHOOSING = {question for piece in CATALOG.pieces if (question := piece.question) in CATALOG.questions}

# Each exception: (file, the name): why it cannot be a loop.
EXCEPTIONS: dict[tuple[str, str], str] = {}


def conditions(tree: nodes.Template) -> Iterator[nodes.Node]:
    """Every expression on which it depends whether something is rendered."""
    for block in tree.find_all(nodes.If):
        yield block.test
    for expression in tree.find_all(nodes.CondExpr):
        yield expression.test
    for loop in tree.find_all(nodes.For):
        yield loop.iter
        if loop.test is not None:
            yield loop.test


def named_pieces(tree: nodes.Template) -> set[str]:
    """The pieces and the answers that a template's conditions name."""
    found: set[str] = set()
    for condition in conditions(tree):
        # find_all looks below a node; a condition may also be the bare name.
        for node in (condition, *condition.find_all((nodes.Const, nodes.Name))):
            if isinstance(node, nodes.Const) and node.value in OPTIONAL:
                found.add(str(node.value))
            if isinstance(node, nodes.Name) and node.name in CHOOSING:
                found.add(node.name)
    return found


def parse(source: str) -> nodes.Template:
    return Environment(autoescape=True).parse(source)


@pytest.mark.parametrize("file", WIRING, ids=lambda file: str(file.relative_to(ROOT / "template")))
def test_no_condition_names_a_piece(file: Path) -> None:
    relative = str(file.relative_to(ROOT / "template"))
    named = named_pieces(parse(file.read_text(encoding="utf-8"))) | named_pieces(parse(relative))
    assert {name for name in named if (relative, name) not in EXCEPTIONS} == set()


def test_the_list_of_exceptions_is_short() -> None:
    assert len(EXCEPTIONS) <= 3
    assert all(reason.strip() for reason in EXCEPTIONS.values())


@pytest.mark.parametrize(
    "source",
    [
        "{% if projects %}x{% endif %}",
        "{% if 'projects' in chosen %}x{% endif %}",
        "{% for p in catalog if p.name == 'clerk' %}x{% endfor %}",
        "{% for p in catalog | selectattr('name', 'eq', 'supabase') %}x{% endfor %}",
        "{{ 'x' if auth == 'clerk' else 'y' }}",
    ],
)
def test_a_named_condition_is_found(source: str) -> None:
    assert named_pieces(parse(source))
