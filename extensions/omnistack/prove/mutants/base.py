"""A mutant: a template with one fault, made by a rule."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from omnistack.prove.proof import Proof


@dataclass(frozen=True)
class Mutant:
    """A change of the template's files, and the rule that made it."""

    rule: str
    place: str
    """The difference from the other mutants of the rule."""
    changes: Mapping[str, str | None]
    """The new text of each changed file; `None` for a removed one."""


type Mutants = Iterator[Mutant]


def replace_line(text: str, number: int, new: str | None) -> str:
    """Replace a line (counted from 1), or remove it."""
    lines = text.split("\n")
    lines[number - 1 : number] = [] if new is None else [new]
    return "\n".join(lines)


def optional(proof: Proof, path: str) -> bool:
    """Return whether a rendered file is missing from some projects."""
    return proof.tree is not None and path in proof.tree.files and proof.tree.files[path].cond != proof.tree.valid
