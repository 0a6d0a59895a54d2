"""`omnistack suites`: a covering array, executed."""

import getpass
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from omnistack.inspect.matrix import Row, make_rows, parse_shard, take_shard
from omnistack.shell.errors import OmniError
from omnistack.shell.options import TemplateOption
from omnistack.shell.progress import working
from omnistack.suites.cell import Cell, Outcome
from omnistack.suites.coverage import ListedCell, coverage, last_executed, page, worth_keeping
from omnistack.suites.execution import Options, Prepared, execute, prepare
from omnistack.suites.interpreters import Interpreter, find_interpreter, variable
from omnistack.suites.record import Record
from omnistack.template.catalog import Catalog
from omnistack.template.source import Template, open_template

HELP = """\
Render a covering array and take each cell through every step: install, migrate, boot, add a user's module, lint,
check types, test and downgrade.

A cell is not executed again if docs/coverage.json records that it passed with the same rendering, lock, interpreter
and steps, to the byte. A cell whose tests fail gets a second attempt; both are reported.

\b
    omnistack suites                        all pairs
    omnistack suites --all                  the recorded ones as well
    omnistack suites --budget 30            what fits into half an hour, the most valuable first
    omnistack suites --strength 3           all triples
    omnistack suites --shard 2/4            a quarter, for one of four machines
    omnistack suites --only "preset saas"   one cell
"""

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "omnistack"
RECORD = Path("docs/coverage.json")
PAGE = Path("docs/coverage.md")


@dataclass(frozen=True)
class Plan:
    """The cells of this run."""

    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    not_run: tuple[str, ...]
    """The steps that are impossible on this machine, with the reason, one sentence each."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("suites", help=HELP)(suites)


def suites(
    *,
    strength: Annotated[int, typer.Option(metavar="N", help="Cover every combination of N answers.")] = 2,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only part I of N equal parts.")] = "1/1",
    seed: Annotated[int, typer.Option(metavar="S", help="Seed: another number gives other cells.")] = 0,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only the cell with this name.")] = None,
    again: Annotated[bool, typer.Option("--all", help="Execute recorded cells as well.")] = False,
    budget: Annotated[
        float | None, typer.Option(metavar="MINUTES", min=0, help="Start no cell that would exceed the budget.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(metavar="N", min=1, help="Number of cells to run at the same time.")
    ] = os.cpu_count() or 1,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Number of test processes in each cell.")] = 2,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="The folder that keeps failed cells.")] = None,
    write: Annotated[bool, typer.Option("--write", help=f"Write {RECORD} and {PAGE}.")] = False,
    template: TemplateOption = None,
) -> None:
    """Execute a covering array."""
    started = time.monotonic()
    with open_template(template) as found:
        if write:
            # The record names the commit that was executed.
            found.require_clean()
        with working("Computing the covering array"):
            everything = make_rows(found, strength=strength, seed=seed)
        plan = make_plan(take_shard(_named(everything, only), parse_shard(shard)))
        with working("Rendering and locking every cell"):
            prepared = prepare(found, plan.cells, jobs)
        record = _open_record(found)
        options = Options(
            folder=keep or Path(tempfile.gettempdir()) / f"omnistack-suites-{getpass.getuser()}",
            caches=CACHE,
            jobs=jobs,
            workers=workers,
            deadline=None if budget is None else started + budget * 60,
            again=again,
        )
        outcomes: list[Outcome] = []
        for outcome in execute(found, prepared, record, options):
            outcomes.append(outcome)
            typer.echo(f"[{len(outcomes)}/{len(plan.cells)}] {_line(outcome, options.folder)}")
        if write:
            _write(found, plan, prepared, record)
        _summarise(found.catalog, plan, outcomes, record, whole=only is None and shard == "1/1")
    typer.echo(f"{len(outcomes)} cells in {time.monotonic() - started:.0f} s")
    if any(outcome.failed_step for outcome in outcomes):
        raise typer.Exit(1)


def make_plan(rows: Sequence[Row]) -> Plan:
    """Turn rows into cells. Where a row's Python is not on this machine, its other answers run on another one.

    Raises:
        OmniError: the machine has no Python that the template supports.
    """
    wanted = sorted({_python(row) for row in rows}, key=_version)
    found = {version: find_interpreter(version) for version in wanted}
    here = {version: interpreter for version, interpreter in found.items() if interpreter is not None}
    if rows and not here:
        raise OmniError(f"no Python {' or '.join(wanted)} is installed here", "install one, or put it on the PATH")
    missing = [version for version in wanted if version not in here]
    newest = max(here, key=_version, default="")
    reasons = [
        f"Python {version} is not installed ({variable(version)} can name one): its cells ran on {newest}; for "
        f"{version}, packages were resolved to wheels and types were checked."
        for version in missing
    ]
    foreseen = [_python(row) if _python(row) in missing else None for row in rows]
    rows = [_on(row, newest) if version else row for row, version in zip(rows, foreseen, strict=True)]
    cells = [_make_cell(row, here[_python(row)], version) for row, version in zip(rows, foreseen, strict=True)]
    return Plan(tuple(cells), tuple(rows), tuple(reasons))


def _make_cell(row: Row, interpreter: Interpreter, foreseen: str | None) -> Cell:
    # A fresh project has no module of the user's: in the presets, tests run both before one is added and after.
    return Cell(row.name, row.answers, interpreter, foreseen, pristine_tests=row.name.startswith("preset "))


def _open_record(template: Template) -> Record:
    """Open this machine's record, with what the template's commit records."""
    record = Record.read(CACHE / "suites.json")
    record.merge(Record.read(template.root / RECORD))
    return record


def _write(template: Template, plan: Plan, prepared: Prepared, record: Record) -> None:
    """Write the record and the page."""
    committed = Record.read(template.root / RECORD)
    committed.keep(worth_keeping(template.catalog, list(record), prepared.groups.keys()))
    committed.save()
    cells = [
        ListedCell(row.name, row.answers, " ".join(row.arguments), prepared.digest_of(cell))
        for row, cell in zip(plan.rows, plan.cells, strict=True)
    ]
    (template.root / PAGE).write_text(page(template.catalog, cells, list(committed), plan.not_run), encoding="utf-8")


def _tell_never_executed(catalog: Catalog, outcomes: Sequence[Outcome], record: Record) -> None:
    """Say how many pairs of the cells that were left out have never been executed, at any version."""
    before = last_executed(catalog, list(record))
    passed = coverage(catalog, [one.cell.answers for one in outcomes if one.passed], 2)
    never = sum(pair not in before for pair in passed.missing)
    typer.echo(
        f"of the pairs left out, {len(passed.missing) - never} were executed at an earlier version, {never} never"
    )


def _summarise(catalog: Catalog, plan: Plan, outcomes: Sequence[Outcome], record: Record, *, whole: bool) -> None:
    for reason in plan.not_run:
        typer.echo(f"not possible here: {reason}")
    if whole:
        for strength in (2, 3):
            count = coverage(catalog, [one.cell.answers for one in outcomes if one.passed], strength)
            typer.echo(f"executed now or recorded: {count}")
        if any(one.left_out for one in outcomes):
            _tell_never_executed(catalog, outcomes, record)
    second = [one.cell.name for one in outcomes if one.passed and one.before]
    if second:
        typer.echo(f"passed at the second attempt: {', '.join(second)}")
    recorded = sum(one.recorded is not None for one in outcomes)
    left_out = sum(one.left_out for one in outcomes)
    failed = sum(one.failed_step is not None for one in outcomes)
    executed = len(outcomes) - recorded - left_out - failed
    typer.echo(f"{executed} passed, {recorded} recorded, {left_out} left out, {failed} failed")


def _line(outcome: Outcome, folder: Path) -> str:
    name = outcome.cell.name
    if outcome.recorded is not None:
        return f"{name}: {outcome.recorded}, identical to the byte"
    if outcome.left_out:
        return f"{name}: left out, would not end within the budget; {outcome.last or 'never executed'}"
    if outcome.twin:
        return f"{name}: {'passed' if outcome.passed else 'FAILED'} with {outcome.twin}, which renders the same"
    if outcome.passed:
        second = f" at the second attempt: {outcome.before} failed at the first" if outcome.before else ""
        steps = ", ".join(f"{step} {seconds:.0f}" for step, seconds in outcome.durations.items())
        return f"{name}: passed in {outcome.seconds:.0f} s{second} ({steps})"
    return (
        f"{name}: FAILED at {outcome.failed_step}: {outcome.message}\n{outcome.output}\n"
        f'  its folder is in {folder}; again: uv run omnistack suites --only "{name}"'
    )


def _named(rows: Sequence[Row], names: Sequence[str] | None) -> Sequence[Row]:
    if not names:
        return rows
    unknown = [name for name in names if name not in {row.name for row in rows}]
    if unknown:
        raise OmniError(f"no cell is named {', '.join(unknown)}", "`omnistack matrix --format json` lists the names")
    return [row for row in rows if row.name in names]


def _python(row: Row) -> str:
    return str(row.answers["python_version"])


def _on(row: Row, version: str) -> Row:
    return replace(
        row, given={**row.given, "python_version": version}, answers={**row.answers, "python_version": version}
    )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
