"""Faults in the catalog and in the questions."""

from typing import Any

import yaml

from omnistack.prove.mutants.base import Mutant, Mutants
from omnistack.prove.proof import Proof
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE

type Document = dict[str, Any]

EXTRA: dict[str, Any] = {
    "dependencies": "nobody-needs-this>=1",
    "dev_dependencies": "nobody-needs-this>=1",
    "settings": {"name": "NOBODY_READS_THIS", "help": "Nothing.", "default": ""},
    "paths": "docs/nowhere.md",
    "services": "nobody-starts-this",
}
LISTS = ("requires", "paths", "dependencies", "dev_dependencies", "settings", "services")


def catalog_mutants(proof: Proof) -> Mutants:
    """Remove an entry from each list of each piece, add a superfluous one, or change a property of the piece."""
    for document in proof.source.catalog():
        for field in LISTS:
            for place, entry in enumerate(document[field]):
                name = entry["name"] if isinstance(entry, dict) else entry
                rest = [other for position, other in enumerate(document[field]) if position != place]
                yield _changed(document, f"drop {field}", str(name), {field: rest})
        for field, extra in EXTRA.items():
            name = extra["name"] if isinstance(extra, dict) else extra
            yield _changed(document, f"add {field}", name, {field: [*document[field], extra]})
        yield _changed(document, "flip always", "", {"always": not document["always"]})
        if document["module"]:
            yield _changed(document, "rename module", document["module"], {"module": "elsewhere"})
        for entry in document["dependencies"]:
            rest = [other for other in document["dependencies"] if other != entry]
            dev = [*document["dev_dependencies"], entry]
            yield _changed(document, "move to dev", entry, {"dependencies": rest, "dev_dependencies": dev})
        for preset in document["presets"] if document["port"] else ():
            rest = [other for other in document["presets"] if other != preset]
            yield _changed(document, "drop preset", preset, {"presets": rest})


def _changed(document: Document, rule: str, place: str, change: Document) -> Mutant:
    path = f"{CATALOG_DIR}/{document['name']}.yml"
    text = yaml.safe_dump({**document, **change}, sort_keys=False)
    return Mutant(rule, f"{document['name']} {place}".strip(), {path: text})


def question_mutants(proof: Proof) -> Mutants:
    """Drop each question that chooses a piece, drop or add a choice of a port, add a question for a missing piece."""
    text = proof.source.text(QUESTIONS_FILE)
    blocks = _blocks(text)
    if proof.model is None:
        return
    ports = {piece.port for piece in proof.model.pieces.values() if piece.port}
    for name, asked in proof.model.asked.items():
        block = blocks.get(name, "")
        if asked.question.type == "bool":
            yield Mutant("drop question", name, {QUESTIONS_FILE: text.replace(block, "")})
            ghost = block.replace(f"{name}:", "ghost:", 1)
            yield Mutant("add question", f"ghost like {name}", {QUESTIONS_FILE: text.replace(block, block + ghost)})
        if name in ports:
            lines = block.splitlines(keepends=True)
            for place, line in enumerate(lines):
                if any(line.rstrip().endswith(f": {value}") and '"' in line for value in asked.question.values):
                    without = "".join(lines[:place] + lines[place + 1 :])
                    yield Mutant(
                        "drop choice", f"{name} {line.strip()}", {QUESTIONS_FILE: text.replace(block, without)}
                    )
                    more = "".join([*lines[: place + 1], '    "Somebody else": ghost\n', *lines[place + 1 :]])
                    yield Mutant("add choice", f"{name} ghost", {QUESTIONS_FILE: text.replace(block, more)})


def _blocks(text: str) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines(keepends=True):
        if line[:1].isalpha() and ":" in line:
            name = line.split(":")[0]
        elif line.startswith(("#", "_")):
            name = ""
        if name:
            found.setdefault(name, []).append(line)
    return {key: "".join(lines) for key, lines in found.items()}
