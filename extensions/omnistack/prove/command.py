"""`omnistack prove`."""

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

from omnistack.options import TemplateOption
from omnistack.progress import out, working
from omnistack.template import open_template

if TYPE_CHECKING:
    from omnistack.prove.proof import Proof

HELP = """\
Prove that every valid answer set renders a consistent project, without rendering them one by one.

Every check is an implication over all answer sets; one that does not hold is printed with the file, the line, and
answers that show it, to paste behind `copier copy`.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="prove", help=HELP)(prove_command)


def prove_command(
    *,
    template: TemplateOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run the proof and print what it shows."""
    from omnistack.prove.proof import prove
    from omnistack.prove.source import read_source

    start = time.perf_counter()
    with open_template(template) as opened:
        source = read_source(opened.root)
        with working("Proving"):
            proof = prove(source)
        seconds = time.perf_counter() - start
        if as_json:
            typer.echo(json.dumps(_document(proof, seconds), indent=2))
        else:
            _print(proof, seconds)
    if proof.findings:
        raise typer.Exit(1)


def _print(proof: "Proof", seconds: float) -> None:
    console = out()
    for finding in proof.findings:
        console.print(f"{finding.file}:{finding.line}: {finding.message}  ({finding.check})", markup=False)
        console.print(f"    copier copy {proof.counterexample(finding)}", style="dim", markup=False)
    verdict = f"{len(proof.findings)} faults found in" if proof.findings else "proved"
    console.print(
        f"{verdict} {proof.answer_sets:,} valid answer sets, {proof.projects:,} different projects, in {seconds:.1f} s",
        markup=False,
    )


def _document(proof: "Proof", seconds: float) -> dict[str, object]:
    return {
        "answer_sets": proof.answer_sets,
        "projects": proof.projects,
        "seconds": round(seconds, 2),
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
    }
