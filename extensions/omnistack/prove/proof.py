"""The proof: every check over one template, and what it found."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

from omnistack.prove.checks.answers import check_answers
from omnistack.prove.checks.contracts import check_contracts
from omnistack.prove.checks.data_policy import check_data_policy
from omnistack.prove.checks.dependencies import check_dependencies
from omnistack.prove.checks.direction import check_direction
from omnistack.prove.checks.fixtures import check_fixtures
from omnistack.prove.checks.imports import check_imports, check_programs, check_reached
from omnistack.prove.checks.links import check_links
from omnistack.prove.checks.listings import check_listings
from omnistack.prove.checks.manifest import check_manifest
from omnistack.prove.checks.metering import check_metering
from omnistack.prove.checks.migrations import check_migrations
from omnistack.prove.checks.model import check_model
from omnistack.prove.checks.module_files import check_module_files
from omnistack.prove.checks.names import check_names
from omnistack.prove.checks.owns import check_owns
from omnistack.prove.checks.production import check_production
from omnistack.prove.checks.providers import check_providers
from omnistack.prove.checks.releases import check_releases
from omnistack.prove.checks.services import check_services
from omnistack.prove.checks.settings import check_settings
from omnistack.prove.checks.splices import check_splices
from omnistack.prove.checks.wiring import check_wiring
from omnistack.prove.code import Code
from omnistack.prove.finding import Finding, Report
from omnistack.prove.model import Model
from omnistack.prove.source import Source
from omnistack.prove.space import Cond, Space
from omnistack.prove.tree import Tree
from omnistack.prove.values import FailureError
from omnistack.template.catalog import QUESTIONS_FILE

type Check = Callable[[Code, Report], None]

CHECKS: dict[str, Check] = {
    "splices": check_splices,
    "imports": check_imports,
    "reach": check_reached,
    "programs": check_programs,
    "direction": check_direction,
    "dependencies": check_dependencies,
    "settings": check_settings,
    "manifest": check_manifest,
    "metering": check_metering,
    "module files": check_module_files,
    "providers": check_providers,
    "data policy": check_data_policy,
    "migrations": check_migrations,
    "fixtures": check_fixtures,
    "links": check_links,
    "owns": check_owns,
    "production": check_production,
    "wiring": check_wiring,
    "services": check_services,
    "releases": check_releases,
    "names": check_names,
    "contracts": check_contracts,
    "listings": check_listings,
    "answers and paths": check_answers,
}


@dataclass
class Proof:
    """The result of a proof: its model, and the faults that it found."""

    source: Source
    model: Model | None = None
    tree: Tree | None = None
    code: Code | None = None
    findings: list[Finding] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def answer_sets(self) -> int:
        """The number of valid answer sets."""
        return self.model.space.count(self.model.valid) if self.model else 0

    @property
    def projects(self) -> int:
        """The number of different projects that they render; a preset, for example, is only recorded."""
        if self.model is None or self.tree is None:
            return 0
        recorded = self.model.recorded
        conditions = {part.cond for file in self.tree.files.values() if file.path != recorded for part in file.parts}
        space = self.model.space
        cond = self.model.valid
        for name, variable in space.variables.items():
            if not any(name in space.depends_on(condition) for condition in conditions):
                cond = space.project(cond, name) & next(iter(variable.conditions.values()))
        return space.count(cond)

    def counterexample(self, finding: Finding) -> str:
        """Return answers that show a fault."""
        return self.model.counterexample(finding.cond) if self.model else ""


def prove(
    source: Source,
    *,
    space: Space | None = None,
    known: Proof | None = None,
    show: Callable[[str], None] = lambda _name: None,
    until: Callable[[Proof], bool] = lambda _proof: False,
    first: str = "",
) -> Proof:
    """Run all checks.

    Args:
        source: the template.
        space: the space of answers to reuse.
        known: the proof of a similar template; what is the same in both is reused.
        show: called with the name of each check before it runs.
        until: called after each check; no further check runs once it returns true.
        first: the check to begin with.
    """
    proof = Proof(source)
    for name, step in _steps(proof, space, known, first):
        show(name)
        start = time.perf_counter()
        try:
            step(_Collector(proof, name))
        except FailureError as error:
            proof.findings.append(Finding(name, QUESTIONS_FILE, 1, error.message, error.cond))
            return proof
        finally:
            proof.seconds[name] = time.perf_counter() - start
        if until(proof):
            break
    return proof


def _steps(
    proof: Proof, space: Space | None, known: Proof | None, first: str
) -> Iterator[tuple[str, Callable[[Report], None]]]:
    def read_model(_report: Report) -> None:
        same = known is not None and known.source.questionnaire == proof.source.questionnaire
        proof.model = known.model if known is not None and same else Model(proof.source, space)

    def read_tree(_report: Report) -> None:
        if proof.model is not None:
            proof.tree = Tree(proof.model, proof.source, known.tree if known else None)
            proof.code = Code(proof.tree, known.code if known else None)

    yield "model", read_model
    if proof.model is None:
        return
    model = proof.model
    yield "answers", lambda report: check_model(model, report)
    yield "presence", read_tree
    if proof.code is None:
        return
    if known is None:
        yield "order", partial(check_order, proof.code.tree)
    code = proof.code
    for name in sorted(CHECKS, key=lambda name: name != first):
        yield name, partial(CHECKS[name], code)


def check_order(tree: Tree, report: Report) -> None:
    """Check that nothing depends on the order in which Copier reads the catalog's files, which is not sorted."""
    model = tree.model
    turned = Tree(Model(tree.source, model.space, reverse=True))
    for path in sorted(tree.files.keys() | turned.files.keys()):
        if tree.signature.get(path) != turned.signature.get(path):
            file = tree.files.get(path) or turned.files[path]
            report(file.source, 1, "depends on the order of the catalog's files: sort what it loops over", file.cond)


class _Collector:
    """A collector of the faults of one check; the same fault at the same place counts once."""

    def __init__(self, proof: Proof, check: str) -> None:
        self._proof = proof
        self._check = check
        self._places: dict[tuple[str, int, str], int] = {}

    def __call__(self, file: str, line: int, message: str, cond: Cond) -> None:
        model = self._proof.model
        if model is None or cond == model.space.nothing:
            return
        key = (file, line, message)
        findings = self._proof.findings
        if key in self._places:
            place = self._places[key]
            cond = findings[place].cond | cond
            findings[place] = Finding(self._check, file, line, message, cond)
        else:
            self._places[key] = len(findings)
            findings.append(Finding(self._check, file, line, message, cond))
