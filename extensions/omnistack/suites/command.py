"""`omnistack suites`: a covering array, executed."""

import getpass
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Annotated

import typer

from omnistack.inspect.matrix import Row, make_rows, parse_shard, take_shard
from omnistack.shell.errors import OmniError
from omnistack.shell.options import TemplateOption
from omnistack.shell.process import CommandError, run
from omnistack.shell.progress import working
from omnistack.suites.cell import Cell, Ledger, Outcome, Workplace, fingerprint, run_cell
from omnistack.suites.coverage import coverage, page
from omnistack.suites.server import database_server
from omnistack.template.source import Template, open_template

if TYPE_CHECKING:
    from omnistack.template.render import RenderedFile

HELP = """\
Render a covering array and, in each cell, install, lint, type, migrate, boot, test and downgrade.

A cell whose rendering is byte-identical to one that passed on this machine at the same lock is skipped. One whose tests
fail is taken through all steps once more, and both attempts are told.

\b
    omnistack suites                        all pairs
    omnistack suites --strength 3           all triples
    omnistack suites --shard 2/4            a quarter, for one of four machines
    omnistack suites --only "preset saas"   one cell, again with --fresh
"""

CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "omnistack"
PAGE = Path("docs/coverage.md")


@dataclass(frozen=True)
class Plan:
    """What will be executed here."""

    cells: tuple[Cell, ...]
    rows: tuple[Row, ...]
    not_run: tuple[str, ...]
    """Why something could not be, a sentence each."""


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("suites", help=HELP)(suites)


def suites(
    *,
    strength: Annotated[int, typer.Option(metavar="N", help="Cover every combination of N answers.")] = 2,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only the I-th of N equal parts.")] = "1/1",
    seed: Annotated[int, typer.Option(metavar="S", help="Another number gives other cells.")] = 0,
    only: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only the cell of this name.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Run cells again that have passed.")] = False,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, help="Cells at a time.")] = os.cpu_count() or 1,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Where failed cells stay.")] = None,
    write: Annotated[bool, typer.Option("--write", help=f"Write {PAGE}.")] = False,
    template: TemplateOption = None,
) -> None:
    """Execute a covering array."""
    started = time.monotonic()
    with open_template(template) as found:
        with working("Computing the covering array"):
            everything = make_rows(found, strength=strength, seed=seed)
        plan = make_plan(take_shard(_named(everything, only), parse_shard(shard)))
        folder = keep or Path(tempfile.gettempdir()) / f"omnistack-suites-{getpass.getuser()}"
        outcomes = list(execute(found, plan.cells, folder, jobs=jobs, fresh=fresh))
        covered = [coverage(found.catalog, [one.cell.answers for one in outcomes if one.passed], n) for n in (2, 3)]
        if write:
            cells = [(row.name, " ".join(row.arguments)) for row in plan.rows]
            (found.root / PAGE).write_text(page(covered, cells, plan.not_run), encoding="utf-8")
    failed = [one for one in outcomes if not one.passed]
    for reason in plan.not_run:
        typer.echo(f"not run here: {reason}")
    if only is None and shard == "1/1":
        for count in covered:
            typer.echo(f"executed: {count}")
    typer.echo(f"{len(outcomes)} cells in {time.monotonic() - started:.0f} s")
    seconds = [one for one in outcomes if one.passed and one.before]
    if seconds:
        typer.echo(f"at the second attempt: {', '.join(one.cell.name for one in seconds)}")
    typer.echo(f"{len(outcomes) - len(failed)} passed, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


def make_plan(rows: Sequence[Row]) -> Plan:
    """Turn rows into cells. Where a row's Python is not on this machine, the rest of its answers run on another.

    Raises:
        OmniError: there is none that the template supports.
    """
    wanted = sorted({_python(row) for row in rows}, key=_version)
    here = [version for version in wanted if _has_python(version)]
    if rows and not here:
        raise OmniError(f"no Python {' or '.join(wanted)} is installed here", "install one, or put it on the PATH")
    missing = [version for version in wanted if version not in here]
    reasons = [
        f"Python {version} is not installed: its cells ran on {here[-1]}; for {version} the packages were resolved to "
        "wheels and the types were checked."
        for version in missing
    ]
    foreseen = [_python(row) if _python(row) in missing else None for row in rows]
    rows = [_on(row, here[-1]) if version else row for row, version in zip(rows, foreseen, strict=True)]
    cells = [Cell(row.name, row.answers, version) for row, version in zip(rows, foreseen, strict=True)]
    return Plan(tuple(cells), tuple(rows), tuple(reasons))


def execute(template: Template, cells: Sequence[Cell], folder: Path, *, jobs: int, fresh: bool) -> Iterator[Outcome]:
    """Run the cells, some at a time; prints and gives each outcome as it comes."""
    passed = Ledger(CACHE / "suites-passed.txt")
    groups, files = _render(template, cells)
    databases = {key: f"cell_{number}" for number, key in enumerate(groups)}
    places: SimpleQueue[Workplace] = SimpleQueue()

    def run_first(key: str, url: str) -> Outcome:
        place = places.get()
        attempt = partial(run_cell, groups[key][0], files[key], place, url, passed)
        try:
            outcome = attempt(fresh=fresh)
            if outcome.failed_step == "tests":
                # What depends on time may fail on a busy machine: once more, and both are told.
                typer.echo(f"{outcome.cell.name}: {outcome.failed_step} failed, once more\n{outcome.output}")
                outcome = replace(attempt(fresh=True), before=outcome.failed_step)
            if not outcome.passed:
                # Its folder stays: the next cell gets another.
                place = replace(place, folder=folder / f"after_{databases[key]}")
            return outcome
        finally:
            places.put(place)

    with (
        tempfile.TemporaryDirectory(prefix="omnistack-suites-") as data,
        database_server(template.root / "template", Path(data) / "postgres", list(databases.values())) as url,
        ThreadPoolExecutor(jobs) as pool,
    ):
        for number in range(jobs):
            name = str(number)
            places.put(Workplace(folder / name, CACHE / "types" / name, Path(data) / "bytecode" / name))
        # The largest first: the last ones are short, and all processors end together.
        largest = sorted(databases, key=lambda key: len(files[key]), reverse=True)
        futures = {pool.submit(run_first, key, url.replace("{}", databases[key])): key for key in largest}
        done = 0
        for future in as_completed(futures):
            first = future.result()
            for cell in groups[futures[future]]:
                # Another cell of the same rendering has the same outcome: it is not run twice.
                outcome = first if cell is first.cell else replace(first, cell=cell, twin=first.cell.name)
                done += 1
                typer.echo(f"[{done}/{len(cells)}] {_line(outcome, folder)}")
                yield outcome


def _render(
    template: Template, cells: Sequence[Cell]
) -> tuple[dict[str, list[Cell]], dict[str, dict[str, "RenderedFile"]]]:
    """Render every cell; give the cells and the files by fingerprint."""
    from omnistack.template.render import Renderer

    renderer = Renderer(template.root)
    groups: dict[str, list[Cell]] = {}
    files: dict[str, dict[str, RenderedFile]] = {}
    for cell in cells:
        rendered = renderer.render(cell.answers)
        key = fingerprint(cell, rendered)
        groups.setdefault(key, []).append(cell)
        files[key] = rendered
    return groups, files


def _line(outcome: Outcome, folder: Path) -> str:
    cell = outcome.cell
    if outcome.twin:
        return f"{cell.name}: the same rendering as {outcome.twin}, {'passed' if outcome.passed else 'FAILED'} with it"
    if outcome.skipped:
        return f"{cell.name}: the same rendering has passed here before, skipped"
    if outcome.passed:
        second = f" at the second attempt: {outcome.before} failed at the first" if outcome.before else ""
        return f"{cell.name}: passed in {outcome.seconds:.0f} s{second}"
    again = f'uv run omnistack suites --fresh --only "{cell.name}"'
    return (
        f"{cell.name}: FAILED at {outcome.failed_step}: {outcome.message}\n{outcome.output}\n"
        f"  its folder stays below {folder}; run it again with: {again}"
    )


def _named(rows: Sequence[Row], only: Sequence[str] | None) -> list[Row]:
    if not only:
        return list(rows)
    names = {row.name for row in rows}
    for name in only:
        if name not in names:
            raise OmniError(f"there is no cell {name!r}", "`omnistack matrix` lists them")
    return [row for row in rows if row.name in only]


def _python(row: Row) -> str:
    return str(row.answers["python_version"])


def _on(row: Row, version: str) -> Row:
    return replace(
        row, given={**row.given, "python_version": version}, answers={**row.answers, "python_version": version}
    )


def _has_python(version: str) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        # As in a rendered project: where versions are switched by folder (pyenv), one is found only where it is named.
        (Path(folder) / ".python-version").write_text(f"{version}\n", encoding="utf-8")
        try:
            run(["uv", "python", "find", "--no-python-downloads", version], cwd=Path(folder))
        except CommandError:
            return False
    return True


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
