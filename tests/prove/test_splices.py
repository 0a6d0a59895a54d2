"""Files that vary are read at once only where that is the same as reading each by itself."""

import pytest
from omnistack.prove.proof import prove
from omnistack.prove.source import Source

FILE = "template/app/kit/wired.py.jinja"
LOOP = "{% for piece in catalog | selectattr('name', 'in', chosen) | selectattr('port') | sort(attribute='name') %}"


def splices(source: Source, body: str) -> list[str]:
    text = body.replace("LOOP", LOOP).replace("END", "{% endfor %}")
    proof = prove(source.changed({FILE: text}), until=lambda proof: "splices" in proof.seconds)
    return [finding.message for finding in proof.findings if finding.check == "splices"]


@pytest.mark.parametrize(
    "body",
    [
        "LOOP\nx_{{ piece.name }} = 1\nEND\n",
        "X = (\nLOOP\n    '{{ piece.name }}',\nEND\n)\n",
        "X = {\nLOOP\n    '{{ piece.name }}': 1,\nEND\n}\n",
        "X = dict(\nLOOP\n    {{ piece.name }}=1,\nEND\n)\n",
        'X = """\nLOOP\n{{ piece.name }}\nEND\n"""\n',
        "LOOP\n# {{ piece.name }}\nEND\n",
    ],
)
def test_whole_statements_elements_and_lines_of_a_string_may_vary(source: Source, body: str) -> None:
    assert splices(source, body) == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("if True:\nLOOP\n    x_{{ piece.name }} = 1\nEND\n", "not whole statements"),
        ("X = (\nLOOP\n    '{{ piece.name }}'\nEND\n)\n", "not whole elements"),
        ("X = (\n    1 +\nLOOP\n    {{ loop.index }} +\nEND\n    0\n)\n", "not whole elements"),
        ("LOOP\nx_{{ piece.name }} = (\nEND\n    1)\n", "a bracket opens"),
    ],
)
def test_anything_else_is_refused(source: Source, body: str, said: str) -> None:
    text = body.replace("LOOP", LOOP).replace("END", "{% endfor %}")
    found = [finding.message for finding in prove(source.changed({FILE: text})).findings if finding.file == FILE]
    # Some do not even parse with all lines there.
    assert any(said in message or "is not valid Python" in message for message in found), found
