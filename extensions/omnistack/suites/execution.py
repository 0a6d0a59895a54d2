"""Executing cells, several at a time."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue

import typer

from omnistack.inspect.matrix import factors
from omnistack.shell.process import CommandError
from omnistack.suites.cell import Cell, Outcome, Rendering, Workplace, lock, run_cell
from omnistack.suites.coverage import combinations_of, last_executed
from omnistack.suites.digest import digest
from omnistack.suites.record import Entry, Record
from omnistack.suites.schedule import Candidate, Schedule
from omnistack.suites.server import database_server
from omnistack.template.source import Template


@dataclass(frozen=True)
class Group:
    """Cells that are identical to the byte: the first is executed for all of them."""

    cells: tuple[Cell, ...]
    rendering: Rendering


@dataclass(frozen=True)
class Options:
    """Options for the execution of cells."""

    folder: Path
    """The parent of the cells' folders; those of failed cells stay."""

    caches: Path
    jobs: int
    """Cells at a time."""

    workers: int
    """Processes that run one cell's tests."""

    deadline: float | None
    """The time by which the last cell must be finished, by `time.monotonic`."""

    again: bool
    """Whether cells run again that the record holds."""


@dataclass(frozen=True)
class Prepared:
    """The data that is known before the first cell runs."""

    groups: Mapping[str, Group]
    """By digest."""

    failed: tuple[Outcome, ...]
    """Cells whose packages cannot be resolved."""

    def digest_of(self, cell: Cell) -> str:
        """Return the digest of a cell; empty if its packages cannot be resolved."""
        return next((key for key, group in self.groups.items() if cell in group.cells), "")


def prepare(template: Template, cells: Sequence[Cell], jobs: int) -> Prepared:
    """Render and lock every cell, and group those with the same digest."""
    from omnistack.template.render import Renderer

    renderer = Renderer(template.root)
    files = [renderer.render(cell.answers) for cell in cells]
    groups: dict[str, Group] = {}
    failed: list[Outcome] = []
    with ThreadPoolExecutor(jobs) as pool:
        locks = [pool.submit(lock, *pair) for pair in zip(files, cells, strict=True)]
    for cell, rendered, future in zip(cells, files, locks, strict=True):
        try:
            rendering = Rendering(rendered, future.result())
        except CommandError as error:
            failed.append(Outcome(cell, 0.0, failed_step="lock", message=str(error), output=error.output))
            continue
        key = digest(rendered, rendering.lock, interpreter=cell.interpreter.build, foreseen=cell.foreseen)
        known = groups.get(key, Group((), rendering))
        groups[key] = Group((*known.cells, cell), rendering)
    return Prepared(groups, tuple(failed))


def execute(template: Template, prepared: Prepared, record: Record, options: Options) -> Iterator[Outcome]:
    """Execute the cells that are not recorded. Yield every outcome as soon as it is known."""
    yield from prepared.failed
    names = list(factors(template.catalog))
    groups = dict(prepared.groups)
    pairs = {
        key: frozenset().union(*(combinations_of(cell.answers, names, 2) for cell in group.cells))
        for key, group in groups.items()
    }
    known = {} if options.again else {key: record.entries[key] for key in groups if key in record.entries}
    for key, entry in known.items():
        yield from (Outcome(cell, 0.0, recorded=entry) for cell in groups.pop(key).cells)
    schedule = Schedule(
        {
            key: Candidate(pairs[key], record.estimate(group.cells[0].answers), len(group.rendering.files))
            for key, group in groups.items()
        },
        frozenset().union(*(pairs[key] for key in known)),
        executed=last_executed(template.catalog, list(record)).keys(),
        deadline=options.deadline,
    )
    for key, outcome in _run(template, groups, schedule, options):
        _enter(record, key, outcome, template)
        first, *others = groups[key].cells
        yield outcome
        yield from (replace(outcome, cell=cell, twin=first.name) for cell in others)
    for key in schedule.left:
        yield from (Outcome(cell, 0.0, left_out=True, last=record.last(cell.answers)) for cell in groups[key].cells)


def _run(
    template: Template, groups: Mapping[str, Group], schedule: Schedule, options: Options
) -> Iterator[tuple[str, Outcome]]:
    databases = {key: f"cell_{number}" for number, key in enumerate(groups)}
    places: SimpleQueue[Workplace] = SimpleQueue()

    def run_first(key: str, url: str) -> Outcome:
        place = places.get()
        group = groups[key]
        attempt = partial(run_cell, group.cells[0], group.rendering, workers=options.workers)
        try:
            outcome = attempt(place, url.replace("{}", databases[key]))
            if outcome.failed_step is not None and outcome.failed_step.startswith("tests"):
                # A test that depends on time may fail on a busy machine. A second attempt is never recorded.
                typer.echo(f"{outcome.cell.name}: {outcome.failed_step} failed, second attempt\n{outcome.output}")
                again = attempt(place, url.replace("{}", f"{databases[key]}_again"))
                outcome = replace(again, before=outcome.failed_step, seconds=outcome.seconds + again.seconds)
            if not outcome.passed:
                # Its folder stays, so the next cell gets another one.
                place = replace(place, folder=options.folder / f"after_{databases[key]}")
            return outcome
        finally:
            places.put(place)

    if not groups:
        return
    names = [name for first in databases.values() for name in (first, f"{first}_again")]
    with (
        tempfile.TemporaryDirectory(prefix="omnistack-suites-", ignore_cleanup_errors=True) as data,
        database_server(template.root / "template", Path(data) / "postgres", names) as url,
        ThreadPoolExecutor(options.jobs) as pool,
    ):
        for number in range(options.jobs):
            name = str(number)
            places.put(
                Workplace(options.folder / name, options.caches / "types" / name, Path(data) / "bytecode" / name)
            )
        running: dict[Future[Outcome], str] = {}
        while True:
            while len(running) < options.jobs and (key := schedule.next()) is not None:
                running[pool.submit(run_first, key, url)] = key
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                key = running.pop(future)
                outcome = future.result()
                schedule.ended(key, outcome.seconds)
                yield key, outcome


def _enter(record: Record, key: str, outcome: Outcome, template: Template) -> None:
    """Record a pass at the first attempt. A failure removes the entry of an earlier run."""
    if not outcome.passed:
        record.remove(key)
    elif not outcome.before:
        record.add(
            Entry(
                digest=key,
                name=outcome.cell.name,
                answers=dict(outcome.cell.answers),
                python=outcome.cell.interpreter.release,
                commit=template.commit,
                date=datetime.now(UTC).date().isoformat(),
                seconds=round(outcome.seconds),
            )
        )
