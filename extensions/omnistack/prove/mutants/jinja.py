"""Faults in the Jinja of wiring files, of the questionnaire and of what they import."""

import re

from omnistack.prove.mutants.base import Mutant, Mutants
from omnistack.prove.proof import Proof
from omnistack.template.catalog import QUESTIONS_FILE

IF = re.compile(r"({%-?\s*(?:el)?if\s+)(.+?)(\s*-?%})", re.DOTALL)
FOR_IF = re.compile(r"({%-?\s*for\s+\w+\s+in\s+[^%]+?\s+if\s+)([^%]+?)(\s*-?%})", re.DOTALL)
FOR = re.compile(r"({%-?\s*for\s+\w+\s+in\s+)([^%]+?)(\s*-?%})", re.DOTALL)
FILTER = re.compile(r"\|\s*(selectattr|rejectattr|select|reject)\(")
OPPOSITE = {"selectattr": "rejectattr", "rejectattr": "selectattr", "select": "reject", "reject": "select"}


def jinja_mutants(proof: Proof) -> Mutants:
    """Negate each condition, drop each condition of a loop, empty each loop, invert and drop each filter."""
    for path in proof.source.files:
        if not path.endswith(".jinja") and path != QUESTIONS_FILE:
            continue
        text = proof.source.text(path)
        if path == QUESTIONS_FILE:
            # What it says to the user, and what the letters of a free text may be, render nothing.
            text_until = text.find("_message_after_copy")
            relevant = range(text_until if text_until > 0 else len(text))
        else:
            relevant = range(len(text))
        yield from _turned(path, text, relevant)
        yield from _filtered(path, text, relevant)


def _place(path: str, text: str, position: int) -> str:
    return f"{path}:{text.count(chr(10), 0, position) + 1}"


def _turned(path: str, text: str, relevant: range) -> Mutants:
    for match in IF.finditer(text):
        if match.start() in relevant:
            new = f"{match[1]}not ({match[2]}){match[3]}"
            yield Mutant("turn condition", _place(path, text, match.start(2)), {path: _put(text, match, new)})
    for match in FOR_IF.finditer(text):
        if match.start() in relevant:
            place = _place(path, text, match.start(2))
            yield Mutant("turn loop", place, {path: _put(text, match, f"{match[1]}not ({match[2]}){match[3]}")})
            without = f"{match[1].rstrip().removesuffix('if').rstrip()}{match[3]}"
            yield Mutant("drop loop's condition", place, {path: _put(text, match, without)})
    for match in FOR.finditer(text):
        if match.start() in relevant:
            new = f"{match[1]}[]{match[3]}"
            yield Mutant("empty loop", _place(path, text, match.start(2)), {path: _put(text, match, new)})


def _filtered(path: str, text: str, relevant: range) -> Mutants:
    for match in FILTER.finditer(text):
        if match.start() not in relevant:
            continue
        end = _closing(text, match.end())
        place = f"{_place(path, text, match.start())} {match[1]}"
        turned = text[: match.start(1)] + OPPOSITE[match[1]] + text[match.end(1) :]
        yield Mutant("turn filter", place, {path: turned})
        yield Mutant("drop filter", place, {path: text[: match.start()] + text[end:]})


def _closing(text: str, position: int) -> int:
    depth = 1
    while depth and position < len(text):
        depth += {"(": 1, ")": -1}.get(text[position], 0)
        position += 1
    return position


def _put(text: str, match: re.Match[str], new: str) -> str:
    return text[: match.start()] + new + text[match.end() :]
