"""Merging the dependencies in `pyproject.toml` package by package.

`uv add` sorts a user's package in among the template's, and so does an update. Merged by lines, two packages that are
added at the same place are a conflict. Merged by packages they are not: the additions, removals and new versions of
both sides hold, and only a package that both changed differently is left to the user.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MANIFEST = "pyproject.toml"

_TABLE = re.compile(r"^\[(?P<table>[^\[\]]+)\]\s*(#.*)?$")
_OPENING = re.compile(r"^(?P<key>[A-Za-z0-9_-]+)\s*=\s*\[$")
_ITEM = re.compile(r"""^\s*(?P<quote>["'])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)\s*(?P<comma>,?)\s*(#.*)?$""")
_PACKAGE = re.compile(r"^[A-Za-z0-9._-]+")
_WHOLE_TABLES = {"dependency-groups", "project.optional-dependencies"}


@dataclass(frozen=True)
class _Block:
    """An array of requirements, one a line: its first and last line, and each item's line by package."""

    first: int
    end: int
    items: dict[str, str]


def settle(base: str, ours: str, theirs: str) -> tuple[str, str, str]:
    """Merge the arrays of requirements, and write the result into all three versions of a file.

    Unchanged are arrays that one side lacks, that are not written one item a line, or in which both sides changed the
    same package.
    """
    for key in _blocks(base):
        found = [_blocks(text).get(key) for text in (base, ours, theirs)]
        if any(block is None for block in found):
            continue
        before, mine, new = (block.items for block in found if block is not None)
        merged = merge(before, mine, new)
        if merged is not None:
            base, ours, theirs = (_replaced(text, key, merged) for text in (base, ours, theirs))
    return base, ours, theirs


def merge(base: Mapping[str, str], ours: Mapping[str, str], theirs: Mapping[str, str]) -> list[str] | None:
    """Merge by package; return none if both sides changed a package differently."""
    kept: dict[str, str] = {}
    for name in dict.fromkeys([*ours, *theirs]):
        before, mine, new = (_requirement(side.get(name)) for side in (base, ours, theirs))
        if mine not in {before, new} and new != before:
            return None
        side = ours if new in {mine, before} else theirs
        if name in side:
            kept[name] = side[name]
    order = [name for name in ours if name in kept]
    previous: str | None = None
    for name in theirs:
        if name in kept:
            if name not in order:
                order.insert(_place(order, theirs, name, previous), name)
            previous = name
    return [kept[name] for name in order]


def _place(order: list[str], theirs: Mapping[str, str], name: str, previous: str | None) -> int:
    """Return the index after the package before it in the template, and after the user's own that sort before it."""
    place = order.index(previous) + 1 if previous is not None else 0
    while place < len(order) and order[place] not in theirs and order[place] < name:
        place += 1
    return place


def _requirement(line: str | None) -> str | None:
    match = _ITEM.match(line) if line is not None else None
    return match["text"] if match else None


def _blocks(text: str) -> dict[tuple[str, str], _Block]:
    lines = text.splitlines()
    found: dict[tuple[str, str], _Block] = {}
    table = ""
    for number, line in enumerate(lines):
        if header := _TABLE.match(line):
            table = header["table"].strip()
        elif opening := _OPENING.match(line):
            key = (table, opening["key"])
            if key == ("project", "dependencies") or table in _WHOLE_TABLES:
                block = _read(lines, number + 1)
                if block is not None:
                    found[key] = block
    return found


def _read(lines: list[str], first: int) -> _Block | None:
    items: dict[str, str] = {}
    for number in range(first, len(lines)):
        line = lines[number]
        if line.strip() == "]":
            return _Block(first, number, items)
        match = _ITEM.match(line)
        package = _PACKAGE.match(match["text"]) if match and match["comma"] else None
        if package is None:
            return None
        name = re.sub(r"[-_.]+", "-", package[0]).lower()
        if name in items:
            return None
        items[name] = line
    return None


def _replaced(text: str, key: tuple[str, str], items: list[str]) -> str:
    lines = text.splitlines(keepends=True)
    block = _blocks(text)[key]
    ending = "\r\n" if lines[block.end].endswith("\r\n") else "\n"
    lines[block.first : block.end] = [f"{item}{ending}" for item in items]
    return "".join(lines)
