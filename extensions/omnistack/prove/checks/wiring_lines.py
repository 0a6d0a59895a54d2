"""Lines of wiring files: each exists exactly where its volume, setting, process, service or release is chosen."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from omnistack.prove.checks.wiring_items import ANYTHING, Items
from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions
from omnistack.prove.tree import File, matching_lines

SERVICES_DIR = "extensions/services"
FIELD = re.compile(r"<(\w+)>")
"""A field of an item within the text of a line: `- <name>:<path>`."""
PROJECT = "PROJECT-NAME"
"""The argument of a service's macro, which stands for any name."""


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Lines that a file has for each item of a kind.

    Attributes:
        of: the items.
        text: the line with its indent. `<name>` is replaced by a field of the item; `…` stands for any text.
        macro: in place of `text`, a macro of the item's file in `extensions/services`, whose output the lines are.
        within: the line above, by which the line's part of the file begins; any part by default.
        header: a pattern of the lines by which parts begin; by default, all that are indented no more than `within`.
    """

    of: Items
    text: str = ""
    macro: str = ""
    within: str = ""
    header: str = ""


type Place = tuple[str, str, str]
"""A pattern of a line, of the line by which its part of the file begins, and of such lines."""


def check_lines(code: Code, table: dict[str, tuple[Lines, ...]], report: Report) -> None:
    """Check each file of a table: every line exists exactly where its item is chosen."""
    for path, entries in table.items():
        file = code.tree.files.get(path)
        if file is None:
            continue
        wanted = Conditions[Place](code.space)
        for lines in entries:
            for fields, cond in lines.of(code):
                within = _filled(lines.within, fields)
                for text in _texts(code, lines, fields):
                    wanted.add((_pattern(text), _pattern(within), lines.header or _above(within)), cond)
        for place, cond in wanted.items():
            there = _there(code, file, place)
            shown = _shown(place)
            report(file.source, 1, f"lacks a line of what is chosen: {shown}", file.cond & cond & ~there)
            report(file.source, 1, f"has a line of what is not chosen: {shown}", there & ~cond)


def _texts(code: Code, lines: Lines, fields: Mapping[str, str]) -> Iterator[str]:
    if not lines.macro:
        yield _filled(lines.text, fields)
        return
    output = code.tree.model.macro(f"{SERVICES_DIR}/{fields['name']}.jinja", lines.macro, PROJECT)
    for line in output.splitlines():
        if line.strip():
            yield lines.text + line.replace(PROJECT, ANYTHING)


def _filled(text: str, fields: Mapping[str, str]) -> str:
    return FIELD.sub(lambda match: fields[match[1]], text)


def _pattern(text: str) -> str:
    return text and "^" + ".*".join(re.escape(part) for part in text.split(ANYTHING)) + "$"


def _above(within: str) -> str:
    """Return a pattern of lines that are indented no more than this one."""
    indent = len(within) - len(within.lstrip())
    return within and rf"^ {{0,{indent}}}[^\s#]"


def _there(code: Code, file: File, place: Place) -> Cond:
    pattern, within, header = place
    found = matching_lines(file.text, pattern)
    if within:
        parts = _parts(file.text, header)
        first = set(matching_lines(file.text, within))
        found = tuple(number for number in found if parts[number] in first)
    return file.cond & code.space.union(file.lines[number].cond for number in found)


@lru_cache(maxsize=256)
def _parts(text: str, header: str) -> tuple[int, ...]:
    """Return for each line the number of the line by which its part begins, maybe its own; -1 before the first."""
    begins = set(matching_lines(text, header))
    found, last = [], -1
    for number in range(text.count("\n") + 1):
        last = number if number in begins else last
        found.append(last)
    return tuple(found)


def _shown(place: Place) -> str:
    line, within, _ = (re.sub(r"\\(.)", r"\1", each.removeprefix("^").removesuffix("$")).strip() for each in place)
    return f"{line} (within {within})" if within else line
