"""Faults in migrations, documents, and in the words that pieces own."""

import re

from omnistack.prove.checks.links import ELSEWHERE, LINK
from omnistack.prove.code import Code
from omnistack.prove.mutants.base import Mutant, Mutants, replace_line
from omnistack.prove.proof import Proof

DEPENDS = re.compile(r"^(depends_on\b.*=)(.*)$", re.MULTILINE)
DOWN = re.compile(r"^(down_revision\b.*=)(.*)$", re.MULTILINE)
LABELS = re.compile(r"^(branch_labels\b.*=)(.*)$", re.MULTILINE)
TARGET = re.compile(r"([\"'])([a-z_]+)\.id\1")
TABLENAME = re.compile(r"(__tablename__ = \")(\w+)\"")


def text_mutants(proof: Proof) -> Mutants:
    """Make all of them."""
    if proof.code is None:
        return
    yield from _migrations(proof.code)
    yield from _tables(proof.code)
    yield from _links(proof)
    yield from _words(proof)


def _migrations(code: Code) -> Mutants:
    """Drop, rename and reorder `depends_on`; rename `down_revision`; drop the branch's label."""
    files = {
        str(module.facts.values["revision"][0]): module.file
        for module in code
        if module.file.path.startswith("migrations/versions/") and "revision" in module.facts.values
    }
    for name, file in files.items():
        text = file.text
        depends = DEPENDS.search(text)
        if depends and "None" not in depends[2]:
            yield Mutant("drop depends_on", name, {file.source: DEPENDS.sub(r"\1 None", text)})
            yield Mutant("misname depends_on", name, {file.source: DEPENDS.sub(r'\1 ("nobody_0001",)', text)})
            for other, behind in files.items():
                if f'"{other}"' in depends[0]:
                    turned = DEPENDS.sub(rf'\1 ("{name}",)', behind.text)
                    both = {file.source: DEPENDS.sub(r"\1 None", text), behind.source: turned}
                    yield Mutant("misorder depends_on", f"{name} and {other}", both)
        yield Mutant("misname down_revision", name, {file.source: DOWN.sub(r'\1 "nobody_0000"', text)})
        labels = LABELS.search(text)
        if labels and "None" not in labels[2]:
            yield Mutant("drop branch label", name, {file.source: LABELS.sub(r"\1 None", text)})
        if (
            len([other for other in files.values() if other.path.rpartition("/")[0] == file.path.rpartition("/")[0]])
            == 1
        ):
            yield Mutant("lose migration", name, {file.source: None})


def _tables(code: Code) -> Mutants:
    """Point each foreign key at a missing table, and rename each table."""
    for module in code:
        if not module.name.startswith(("app.", "migrations.")):
            continue
        text = module.file.text
        for match in TARGET.finditer(text):
            new = f"{text[: match.start(2)]}nobody{text[match.end(2) :]}"
            if (
                "foreign_key" in _row(text, match.start())
                or "ForeignKey" in text[max(0, match.start() - 80) : match.start()]
            ):
                yield Mutant("misname foreign key", f"{module.name} {match[2]}", {module.file.source: new})
        for match in TABLENAME.finditer(text):
            new = f"{text[: match.start(2)]}{match[2]}_x{text[match.end(2) :]}"
            yield Mutant("rename table", f"{module.name} {match[2]}", {module.file.source: new})


def _row(text: str, position: int) -> str:
    start = text.rfind("\n", 0, position) + 1
    return text[start : text.find("\n", position)]


def _links(proof: Proof) -> Mutants:
    """Break each link of the documents."""
    for path in proof.source.files:
        if not path.startswith("template/") or ".md" not in path:
            continue
        text = proof.source.text(path)
        for match in LINK.finditer(text):
            if not match[1].startswith(ELSEWHERE) and "{" not in match[1]:
                new = f"{text[: match.start(1)]}nowhere.md{text[match.end(1) :]}"
                yield Mutant("break link", f"{path} {match[1]}", {path: new})


def _words(proof: Proof) -> Mutants:
    """Add each owned word to a file of every project, in Python and in a document, and to a file's name."""
    if proof.model is None or proof.tree is None:
        return
    for piece in proof.model.pieces.values():
        if proof.model.chosen[piece.name] == proof.model.valid:
            continue
        for word in piece.owns:
            for path in ("app/main.py", "README.md"):
                file = proof.tree.files.get(path)
                if file is not None:
                    text = proof.source.text(file.source)
                    new = replace_line(text, 1, f"{text.split(chr(10))[0]}\n\n# {word}")
                    yield Mutant("say an owned word", f"{word} in {path}", {file.source: new})
            yield Mutant("own word in a name", word, {f"template/docs/{word}_notes.txt": "Nothing.\n"})
