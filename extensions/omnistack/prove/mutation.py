"""The proof shown to work: every seeded fault is found.

The faults are made by rules over the whole tree (`mutants/`), never at hand-picked places. One that renders the same
project for every answer set is not a fault and does not count. Comparing the product lines decides that.
"""

import multiprocessing
import os
import random
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from omnistack.prove.mutants.base import Mutant
from omnistack.prove.mutants.catalog import catalog_mutants, question_mutants
from omnistack.prove.mutants.jinja import jinja_mutants
from omnistack.prove.mutants.python import python_mutants
from omnistack.prove.mutants.texts import text_mutants
from omnistack.prove.proof import Proof, prove
from omnistack.prove.source import Source
from omnistack.shell.errors import OmniError

RULES = (catalog_mutants, question_mutants, jinja_mutants, python_mutants, text_mutants)


@dataclass(frozen=True)
class Verdict:
    """The verdict on a mutant."""

    rule: str
    place: str
    outcome: str
    """killed, equivalent, or survived."""
    by: str
    """The check that found it, and its message."""


def all_mutants(proof: Proof) -> list[Mutant]:
    """Make all mutants of a proved template, in a fixed order."""
    found: dict[tuple[str, str], Mutant] = {}
    for rule in RULES:
        for mutant in rule(proof):
            key, number = (mutant.rule, mutant.place), 2
            while key in found:
                key, number = (mutant.rule, f"{mutant.place} ({number})"), number + 1
            found[key] = Mutant(*key, mutant.changes)
    return list(found.values())


def draw(mutants: Sequence[Mutant], number: int, seed: str) -> list[Mutant]:
    """Draw at most `number` mutants, evenly from the rules; the same seed draws the same ones."""
    chance = random.Random(seed)  # noqa: S311 - which faults to seed is no secret
    by_rule: dict[str, list[Mutant]] = {}
    for mutant in mutants:
        by_rule.setdefault(mutant.rule, []).append(mutant)
    for made in by_rule.values():
        chance.shuffle(made)
    turns = [mutant for round_ in zip_longest(*by_rule.values()) for mutant in round_ if mutant is not None]
    return turns[:number]


def judge(proof: Proof, mutant: Mutant, found_by: dict[str, str] | None = None) -> Verdict:
    """Prove a mutant and compare what is found with what is found without it.

    `found_by` remembers the check that found the last fault of each rule: the next one is likely to be found by it too.
    """
    found_by = {} if found_by is None else found_by
    known = {(finding.check, finding.file, finding.message) for finding in proof.findings}

    def fresh(mutated: Proof) -> list[str]:
        return [
            f"{finding.check}: {finding.file}: {finding.message}"
            for finding in mutated.findings
            if (finding.check, finding.file, finding.message) not in known
        ]

    try:
        mutated = prove(
            proof.source.changed(mutant.changes),
            space=proof.model.space if proof.model else None,
            known=proof,
            until=lambda mutated: bool(fresh(mutated)),
            first=found_by.get(mutant.rule, ""),
        )
    except OmniError as error:
        return Verdict(mutant.rule, mutant.place, "killed", f"refused: {error}")
    found = fresh(mutated)
    if found:
        found_by[mutant.rule] = found[0].partition(":")[0]
        return Verdict(mutant.rule, mutant.place, "killed", found[0])
    if same_product_line(proof, mutated):
        return Verdict(mutant.rule, mutant.place, "equivalent", "renders the same project for every answer set")
    return Verdict(mutant.rule, mutant.place, "survived", "")


def same_product_line(one: Proof, other: Proof) -> bool:
    """Return whether two templates accept the same answers and render the same from each."""
    if one.model is None or other.model is None or one.tree is None or other.tree is None:
        return False
    same_space = one.model.space is other.model.space
    return same_space and one.model.valid == other.model.valid and one.tree.signature == other.tree.signature


_STATE: dict[str, Proof] = {}
_FOUND_BY: dict[str, str] = {}


def _start(root: Path, files: dict[str, bytes]) -> None:
    _STATE["proof"] = prove(Source(root, files))


def _judge_all(mutants: list[Mutant]) -> list[Verdict]:
    return [judge(_STATE["proof"], mutant, _FOUND_BY) for mutant in mutants]


def judge_all(
    proof: Proof, mutants: list[Mutant], show: Callable[[int], None], jobs: int | None = None
) -> list[Verdict]:
    """Judge all mutants, one process for each core; `show` is called with the number done."""
    jobs = jobs or os.cpu_count() or 1
    if jobs == 1:
        return list(_one_by_one(proof, mutants, show))
    size = max(1, min(12, len(mutants) // (jobs * 4)))
    batches = [mutants[place : place + size] for place in range(0, len(mutants), size)]
    found: list[Verdict] = []
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(proof.source.root, dict(proof.source.files)),
    ) as pool:
        for verdicts in pool.map(_judge_all, batches):
            found.extend(verdicts)
            show(len(found))
    return found


def _one_by_one(proof: Proof, mutants: list[Mutant], show: Callable[[int], None]) -> Iterable[Verdict]:
    found_by: dict[str, str] = {}
    for number, mutant in enumerate(mutants, start=1):
        yield judge(proof, mutant, found_by)
        show(number)
