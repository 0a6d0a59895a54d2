"""Answers and paths: each answer has an effect, each path has files, and `.env.example` is well-formed."""

import re

from omnistack.prove.checks.settings import EXAMPLE
from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Conditions
from omnistack.prove.tree import Tree
from omnistack.prove.values import Opaque
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE

VALUE = re.compile(r"([A-Z][A-Z0-9_]+)=(.*)$")
BARE = re.compile(r"[A-Za-z0-9_./:@,+-]*$")
EMPTY = re.compile(r"""=\s*(""|\'\')\s*[,}\]]""")


def check_answers(code: Code, report: Report) -> None:
    """Check the questionnaire and the catalog against the rendered files."""
    tree = code.tree
    _check_texts(tree, report)
    _check_paths(tree, report)
    _check_example(tree, report)
    pyproject = tree.files.get("pyproject.toml")
    for line in pyproject.lines if pyproject else ():
        if pyproject and EMPTY.search(line.text):
            report(pyproject.source, line.number, "has an empty value: omit the key", line.cond)


def _check_texts(tree: Tree, report: Report) -> None:
    """Check that each free text, unless empty, is printed somewhere."""
    printed = Conditions[str](tree.space)
    recorded = tree.model.recorded
    for file in tree.files.values():
        for part in file.parts:
            if isinstance(part.text, Opaque) and file.path != recorded:
                printed.add(part.text.name, part.cond)
    for name, asked in tree.model.asked.items():
        if not asked.question.values:
            here = tree.valid & (tree.space.text_is_set(name) if name in tree.space.texts else tree.valid)
            unused = here & ~printed[name]
            report(QUESTIONS_FILE, 1, f"{name} is asked, but no file contains the answer", unused)


def _check_paths(tree: Tree, report: Report) -> None:
    for piece in tree.model.pieces.values():
        for path in piece.paths:
            below = f"{path.rstrip('/')}/"
            if not any(name == path or name.startswith(below) for name in tree.files):
                chosen = tree.model.chosen[piece.name]
                report(f"{CATALOG_DIR}/{piece.name}.yml", 1, f"lists the path {path}, which matches no file", chosen)


def _check_example(tree: Tree, report: Report) -> None:
    """Check that values are quoted where necessary, so that every parser of the file reads the same value."""
    file = tree.files.get(EXAMPLE)
    generated = {setting.name for piece in tree.model.pieces.values() for setting in piece.settings if setting.generate}
    told = tree.space.nothing
    for line in file.lines if file else ():
        match = VALUE.match(line.text)
        if line.text.startswith("#") and "openssl" in line.text:
            told = told | line.cond
        if file is None or match is None:
            continue
        wrong = line.cond & (~told if match[1] in generated else told)
        report(
            file.source,
            line.number,
            f'{match[1]} must have the hint "Make one with" if it is a generated secret, and only then',
            wrong,
        )
        told = told & ~line.cond
        value = match[2]
        quoted = len(value) > 1 and value[0] == value[-1] == "'"
        inner = value[1:-1] if quoted else value
        if not line.free and quoted == bool(BARE.match(inner)):
            report(
                file.source,
                line.number,
                f"{match[1]} must be quoted if its value needs quotes, and only then",
                line.cond,
            )
