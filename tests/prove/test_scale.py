"""The proof of a catalog as large as it will be: 36 pieces, more than 10⁸ answer sets."""

import random
import time
from pathlib import Path

import pytest
import yaml
from omnistack.prove.model import Model
from omnistack.prove.sample import draw
from omnistack.prove.source import Source, read_source
from omnistack.prove.tree import Tree
from omnistack.template.render import Renderer

ROOT = Path(__file__).resolve().parents[2]
PORTS = {"auth": 3, "email": 4, "storage": 4}
SWITCHES = 22
WIRING = """\
{% for name in chosen %}
{% for piece in catalog | selectattr('name', 'eq', name) | selectattr('module') %}
from app.{{ piece.module }}.module import module as {{ piece.module }}
{% endfor %}
{% endfor %}
{% set requirements = catalog | selectattr('name', 'in', chosen) | map(attribute='dependencies') | sum(start=[]) %}
{% for requirement in requirements | unique | sort %}
{{ requirement }}
{% endfor %}
"""


def piece(name: str, **fields: object) -> dict[str, object]:
    return {
        "name": name, "label": name, "help": name, "kind": "module", "always": False, "port": None, "module": name,
        "requires": [], "conflicts": [], "presets": ["custom"], "dependencies": [f"lib-{len(name)}"],
        "dev_dependencies": [], "paths": [f"app/{name}"], "settings": [], "services": [], "owns": [],
        **fields,
    }  # fmt: skip


def pieces() -> list[dict[str, object]]:
    chance = random.Random(7)  # noqa: S311 - a repeatable choice, no secret
    found = [piece("core", always=True, presets=[], paths=[]), piece("ai", presets=[]), piece("money", presets=[])]
    for port, number in PORTS.items():
        found += [
            piece(f"{port}{place}", port=port, presets=["custom"] if place == 0 else []) for place in range(number)
        ]
    switches = [f"m{place:02}" for place in range(SWITCHES)]
    for place, name in enumerate(switches):
        requires = ["core", *chance.sample(switches[:place], min(place, 1) if chance.random() < 0.3 else 0)]
        requires += ["ai"] if place in {3, 4, 5} else ["money"] if place in {6, 7} else []
        conflicts = ["m01"] if name == "m10" else []
        found.append(piece(name, requires=requires, conflicts=conflicts, presets=[]))
    return found


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A template with the real questionnaire's machinery and a made-up catalog."""
    root = tmp_path_factory.mktemp("large")
    folder = root / "extensions/catalog"
    folder.mkdir(parents=True)
    for file in (ROOT / "extensions/catalog").glob("*.jinja"):
        (folder / file.name).write_bytes(file.read_bytes())
    real = (ROOT / "copier.yml").read_text(encoding="utf-8")
    head = real[: real.index("# --- the pieces")]
    tail = real[real.index("# --- what follows from the answers") :]
    questions: dict[str, object] = {}
    for port, number in PORTS.items():
        default = (
            "{% from 'extensions/catalog/presets.jinja' import provider with context %}{{ provider('" + port + "') }}"
        )
        choices = [f"{port}{place}" for place in range(number)]
        questions[port] = {"type": "str", "choices": choices, "default": default}
    for document in pieces():
        name = str(document["name"])
        (folder / f"{name}.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
        if name.startswith("m") and name != "money":
            validator = (
                "{% from 'extensions/catalog/requirements.jinja' import check with context %}"
                 "{{ check('" + name + "', " + name + ") }}"
            )  # fmt: skip
            questions[name] = {"type": "bool", "default": False, "validator": validator}
        for path in document["paths"]:  # type: ignore[attr-defined]  # a list, as YAML will have it
            (root / "template" / path).mkdir(parents=True)
            (root / "template" / path / "module.py").write_text("module = 1\n", encoding="utf-8")
    (root / "copier.yml").write_text(f"{head}\n{yaml.safe_dump(questions, sort_keys=False)}\n{tail}", encoding="utf-8")
    (root / "template/modules.py.jinja").write_text(WIRING, encoding="utf-8")
    return read_source(root)


def test_models_and_renders_a_hundred_million_answer_sets_in_seconds(large: Source) -> None:
    start = time.process_time()
    model = Model(large)
    tree = Tree(model)
    spent = time.process_time() - start
    assert len(model.pieces) == 36
    assert model.space.count(model.valid) > 10**7
    assert model.space.count(model.space.everything) > 10**8
    assert spent < 20
    # The conditions are those of real renders.
    renderer = Renderer(large.root)
    for answers in draw(model, 40, "scale"):
        rendered = {path: file.text for path, file in renderer.render(answers).items()}
        assert rendered == tree.render(answers)
