"""Splices: a Python file that varies may be read with all its lines at once.

Each run of conditional lines must consist of whole statements at the file's own level, or of whole elements of a
bracket, each with its comma, or lie within one string. Removing any of these runs then removes exactly their nodes from
the syntax tree. So the tree of all lines, each under its condition, describes every single file.
"""

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterator
from itertools import groupby

from omnistack.prove.code import Code, Module
from omnistack.prove.finding import Report
from omnistack.prove.tree import File, Line

type Run = tuple[int, list[Line]]


def check_splices(code: Code, report: Report) -> None:
    """Check every run of conditional lines."""
    for module in code:
        if module.file.fixed or module.facts.error is not None:
            continue
        depths, strings = _structure(module.file.text)
        for start, lines in _runs(module.file):
            problem = _problem(module, start, lines, depths, strings)
            if problem is not None:
                report(
                    module.file.source,
                    lines[0].number,
                    f"cannot be proved for all answers at once: {problem}",
                    lines[0].cond,
                )


def _runs(file: File) -> Iterator[Run]:
    """Return the runs of lines under one condition, with the place (from 0) where each begins."""
    place = 0
    for cond, group in groupby(file.lines, key=lambda line: line.cond):
        lines = list(group)
        if cond != file.cond and any(line.text.strip() and not line.text.strip().startswith("#") for line in lines):
            yield place, lines
        place += len(lines)


def _structure(text: str) -> tuple[list[int], list[tuple[int, int]]]:
    """Return the depth of brackets at the start of each line and after the last, and the lines that strings cover."""
    changes: dict[int, int] = {}
    strings: list[tuple[int, int]] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.OP and token.string in "([{}])":
            row = token.start[0]
            changes[row] = changes.get(row, 0) + (1 if token.string in "([{" else -1)
        elif token.type == tokenize.STRING and token.end[0] > token.start[0]:
            strings.append((token.start[0], token.end[0]))
    depths = [0]
    for row in range(1, text.count("\n") + 2):
        depths.append(depths[-1] + changes.get(row, 0))
    return depths, strings


def _problem(
    module: Module, start: int, lines: list[Line], depths: list[int], strings: list[tuple[int, int]]
) -> str | None:
    end = start + len(lines)
    if any(first < start + 1 and end < last for first, last in strings):
        return None
    text = "\n".join(line.text for line in lines)
    if depths[start] != depths[end]:
        return "a bracket opens in conditional lines and closes in others"
    if depths[start] == 0:
        whole = text[:1] not in {" ", "\t"} and _parses(text)
        return None if whole else "the lines are not whole statements"
    before = next((line.text.rstrip() for line in reversed(module.file.lines[:start]) if line.text.strip()), "")
    element = _without_comment(text).endswith(",") and before.endswith(("(", "[", "{", ","))
    if element and any(_parses(form.format(textwrap.dedent(text))) for form in ("[\n{}\n]", "{{\n{}\n}}", "f(\n{}\n)")):
        return None
    return "the lines are not whole elements, each with its comma"


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def _without_comment(text: str) -> str:
    return text.rstrip().split("  #")[0].rstrip()
