"""Answers and paths: each answer has an effect, each path of the catalog has files, and `.env.example` reads well."""

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
    """Check what the questionnaire and the catalog say against what is rendered."""
    tree = code.tree
    _check_texts(tree, report)
    _check_paths(tree, report)
    _check_example(tree, report)
    pyproject = tree.files.get("pyproject.toml")
    for line in pyproject.lines if pyproject else ():
        if pyproject and EMPTY.search(line.text):
            report(pyproject.source, line.number, "says something empty: leave it out", line.cond)


def _check_texts(tree: Tree, report: Report) -> None:
    """A free text is printed somewhere whenever it is not empty."""
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
            report(QUESTIONS_FILE, 1, f"{name} is asked, and its answer is printed nowhere", unused)


def _check_paths(tree: Tree, report: Report) -> None:
    for piece in tree.model.pieces.values():
        for path in piece.paths:
            below = f"{path.rstrip('/')}/"
            if not any(name == path or name.startswith(below) for name in tree.files):
                chosen = tree.model.chosen[piece.name]
                report(f"{CATALOG_DIR}/{piece.name}.yml", 1, f"has the path {path}, where there is nothing", chosen)


def _check_example(tree: Tree, report: Report) -> None:
    """A value is in quotes where it needs them, so that every reader of the file takes the same from it."""
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
        report(file.source, line.number, f"{match[1]} says how to make a secret and is none, or does not say it", wrong)
        told = told & ~line.cond
        value = match[2]
        quoted = len(value) > 1 and value[0] == value[-1] == "'"
        inner = value[1:-1] if quoted else value
        if not line.free and quoted == bool(BARE.match(inner)):
            report(file.source, line.number, f"{match[1]} has quotes without need, or needs them", line.cond)
