"""`omnistack prove`."""

import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from omnistack.shell.errors import OmniError
from omnistack.shell.options import TemplateOption
from omnistack.shell.progress import err, out
from omnistack.template.source import open_template

if TYPE_CHECKING:
    from omnistack.prove.mutation import Verdict
    from omnistack.prove.proof import Proof
    from omnistack.prove.sample import Sampled

HELP = """\
Prove that every valid answer set renders a consistent project, without rendering each of them.

Every check covers all answer sets at once. A fault is printed with its file, its line, and answers that reproduce it,
as arguments of `copier copy`.
"""
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="prove", help=HELP)(prove_command)


def prove_command(
    *,
    template: TemplateOption = None,
    mutants: Annotated[
        bool, typer.Option("--mutants", help="Seed faults by rules and check that the proof finds each one.")
    ] = False,
    at_most: Annotated[
        int, typer.Option("--at-most", metavar="N", min=1, help="Seed at most N faults, drawn evenly from the rules.")
    ] = sys.maxsize,
    rendered: Annotated[
        int,
        typer.Option(
            "--sample", metavar="N", min=0, help="Render N random answer sets and compare them with the proof."
        ),
    ] = 0,
    seed: Annotated[str, typer.Option(help="Seed of the random draws. Default: a digest of the template.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run the proof and print what it shows."""
    from omnistack.prove.mutation import all_mutants, draw, judge_all
    from omnistack.prove.proof import prove
    from omnistack.prove.sample import sample
    from omnistack.prove.source import read_source

    result = Result()
    with open_template(template) as opened:
        source = read_source(opened.root)
        with _progress("Proving", 0) as show:
            result.proof = proof = prove(source, show=lambda _name: show(0))
        result.prove_seconds = result.lap()
        result.seed = seed or source.digest
        if rendered and proof.model is not None:
            with _progress("Rendering", rendered) as show:
                result.sampled = sample(source, proof.model, rendered, result.seed, show)
            result.sample_seconds = result.lap()
        if mutants:
            if proof.findings:
                _report(result, as_json=as_json)
                raise OmniError("--mutants requires a template without faults", "correct the findings first")
            made = all_mutants(proof)
            result.mutants_made = len(made)
            seeded = draw(made, at_most, result.seed)
            with _progress("Seeding faults", len(seeded)) as show:
                result.verdicts = judge_all(proof, seeded, show)
            result.mutant_seconds = result.lap()
    _report(result, as_json=as_json)
    if result.failed:
        raise typer.Exit(1)


class Result:
    """The results of the parts of the proof, and their durations."""

    def __init__(self) -> None:
        self._start = time.perf_counter()
        self.proof: Proof | None = None
        self.sampled: Sampled | None = None
        self.verdicts: list[Verdict] | None = None
        self.mutants_made = 0
        self.seed = ""
        self.prove_seconds = self.sample_seconds = self.mutant_seconds = 0.0

    def lap(self) -> float:
        """Return the seconds since the last call."""
        now = time.perf_counter()
        spent, self._start = now - self._start, now
        return spent

    @property
    def survivors(self) -> "list[Verdict]":
        """The seeded faults that no check found."""
        return [verdict for verdict in self.verdicts or () if verdict.outcome == "survived"]

    @property
    def failed(self) -> bool:
        """Whether the template has a fault, or the proof missed one."""
        found = self.proof is not None and self.proof.findings
        return bool(found or self.survivors or (self.sampled and self.sampled.problems))

    @property
    def killed(self) -> tuple[int, int, int]:
        """The numbers of seeded faults that were found, of all seeded faults, and of changes without effect."""
        counts = Counter(verdict.outcome for verdict in self.verdicts or ())
        return counts["killed"], counts["killed"] + counts["survived"], counts["equivalent"]


@contextmanager
def _progress(title: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal."""
    console = err()
    if not console.is_terminal:
        yield lambda _done: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()]
    if total:
        columns.insert(3, MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(title, total=total or None)
        yield lambda done: progress.update(task, completed=done)


def _report(result: Result, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(document(result), indent=2))
        return
    console = out()
    proof = result.proof
    if proof is None:
        return
    for finding in proof.findings:
        console.print(f"{finding.file}:{finding.line}: {finding.message}  ({finding.check})", markup=False)
        console.print(f"    copier copy {proof.counterexample(finding)}", style="dim", markup=False)
    for problem in (result.sampled.problems if result.sampled else ())[:SHOWN]:
        console.print(f"{problem.message}  (sample)", markup=False)
        console.print(f"    copier copy {problem.answers}", style="dim", markup=False)
    for verdict in result.survivors:
        console.print(f"not found: {verdict.rule}: {verdict.place}  (mutants)", markup=False)
    for line in summary(result, proof):
        console.print(line, markup=False)


def summary(result: Result, proof: "Proof") -> Iterator[str]:
    """Return what was proved, one line per part."""
    number = len(proof.findings)
    verdict = f"{number} fault{'s' if number > 1 else ''} found in" if number else "proved:"
    yield (
        f"{verdict} {proof.answer_sets:,} valid answer sets ({proof.projects:,} different projects), "
        f"{len(proof.seconds)} steps in {result.prove_seconds:.1f} s"
    )
    if result.sampled is not None:
        which = "all" if result.sampled.complete else "a sample of"
        wrong = len(result.sampled.problems)
        yield (
            f"rendered: {which} {result.sampled.count:,} answer sets, {wrong or 'no'} differences, "
            f"seed {result.seed[:12]}, in {result.sample_seconds:.1f} s"
        )
    if result.verdicts is not None:
        killed, faults, equivalent = result.killed
        rules = len({verdict.rule for verdict in result.verdicts})
        drawn = len(result.verdicts)
        of = "" if drawn == result.mutants_made else f", {drawn:,} drawn of {result.mutants_made:,}"
        yield (
            f"mutants: {killed}/{faults} seeded faults found, by {rules} rules{of}, in {result.mutant_seconds:.1f} s "
            f"({equivalent} more changes render the same project for every answer set)"
        )


def document(result: Result) -> dict[str, object]:
    """Return the complete result as JSON-serialisable values."""
    proof = result.proof
    if proof is None:
        return {}
    killed, faults, equivalent = result.killed
    return {
        "answer_sets": proof.answer_sets,
        "projects": proof.projects,
        "seconds": round(result.prove_seconds, 2),
        "checks": {name: round(spent, 3) for name, spent in proof.seconds.items()},
        "findings": [
            {
                "check": finding.check,
                "file": finding.file,
                "line": finding.line,
                "message": finding.message,
                "answers": proof.counterexample(finding),
            }
            for finding in proof.findings
        ],
        "sample": None
        if result.sampled is None
        else {
            "count": result.sampled.count,
            "complete": result.sampled.complete,
            "seed": result.seed,
            "seconds": round(result.sample_seconds, 2),
            "problems": [vars(problem) for problem in result.sampled.problems],
        },
        "mutants": None
        if result.verdicts is None
        else {
            "made": result.mutants_made,
            "killed": killed,
            "faults": faults,
            "equivalent": equivalent,
            "seconds": round(result.mutant_seconds, 2),
            "verdicts": [vars(verdict) for verdict in result.verdicts],
        },
    }
