"""The commands `app worker`, `app jobs` and `app crons`."""

import asyncio
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import get_type_hints
from uuid import UUID

import click
from pydantic import TypeAdapter, ValidationError

from app.core.commands import CommandLine, with_runtime
from app.core.db.models import utc_now
from app.core.jobs.names import by_job_name
from app.core.lifecycle import create_runtime, jobs_of
from app.core.manifest import modules_of
from app.core.ports.queue import Json
from app.core.runtime import Runtime
from app.jobs.broker import WorkerOptions
from app.jobs.crons import Schedule, crons_of
from app.jobs.heartbeat import heartbeat_file, is_alive
from app.jobs.models import Job, JobState
from app.jobs.operations import cancel as cancel_job
from app.jobs.operations import get_job, list_jobs, replay
from app.jobs.worker import default_concurrency, fastest_loop, run_with_reload, run_worker

APP = Path(__file__).resolve().parents[1]


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Concurrent jobs. Default: DB_POOL_SIZE minus 2.")
@click.option(
    "--drain-timeout",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    help="Seconds that running jobs get to finish on SIGTERM. The others are given back.",
)
@click.option("--reload", is_flag=True, help="Restart when the code changes.")
@click.option("--health", is_flag=True, help="Run no jobs: exit with 0 if the worker on this machine is alive, else 1.")
@click.pass_context
def worker(ctx: click.Context, *, concurrency: int | None, drain_timeout: float, reload: bool, health: bool) -> None:
    """Run jobs until SIGTERM or Ctrl-C."""
    if health:
        sys.exit(0 if is_alive(heartbeat_file()) else 1)
    command_line = ctx.find_object(CommandLine)
    if command_line is None:
        raise RuntimeError("This command runs only as a subcommand of `app`.")
    with command_line.database():
        if reload:
            options = [f"--drain-timeout={drain_timeout}", *([f"--concurrency={concurrency}"] if concurrency else [])]
            sys.exit(run_with_reload(options, APP, drain_timeout))
        runtime = create_runtime(command_line.modules)
        worker_options = WorkerOptions(
            concurrency=concurrency or default_concurrency(runtime),
            drain_timeout=timedelta(seconds=drain_timeout),
            heartbeat=heartbeat_file().touch,
        )
        asyncio.run(run_worker(runtime, worker_options), loop_factory=fastest_loop())


@click.group()
def jobs() -> None:
    """List, run, retry and cancel jobs."""


@jobs.command("list")
@click.option("--state", type=click.Choice([str(state) for state in JobState]), help="Only jobs in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Maximum number of jobs.")
@with_runtime
async def list_(runtime: Runtime, state: str | None, limit: int) -> None:
    """List jobs, newest first. Arguments are not shown."""
    found, total = await list_jobs(runtime, state=JobState(state) if state else None, limit=limit)
    for job in found:
        click.echo(_line(job))
    click.echo(f"{len(found)} of {total}" if found else "No jobs.")


@jobs.command()
@click.argument("name", required=False)
@click.argument("arguments", metavar="[JSON]...", nargs=-1)
@with_runtime
async def run(runtime: Runtime, name: str | None, arguments: Sequence[str]) -> None:
    """Run a job once, in this process, and show its result.

    The arguments are JSON values; an argument that is not JSON is passed as a string. Without NAME, list all jobs.
    """
    functions = by_job_name(jobs_of(modules_of(runtime)))
    if name is None:
        click.echo("\n".join(sorted(functions)))
        return
    if name not in functions:
        raise click.ClickException(f"There is no job {name}. `app jobs run` lists all jobs.")
    function, values = functions[name], [_json(argument) for argument in arguments]
    signature = inspect.signature(function)
    try:
        bound = signature.bind(runtime, *values)
        _check_types(function, bound.arguments)
    except (TypeError, ValueError) as error:
        taken = ", ".join(_described(it) for it in list(signature.parameters.values())[1:]) or "none"
        raise click.ClickException(f"{name}: {error}. Its arguments: {taken}.") from None
    result = await function(runtime, *values)
    click.echo("Done." if result is None else json.dumps(result, ensure_ascii=False, indent=2, default=str))


@jobs.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@with_runtime
async def retry(runtime: Runtime, id_: UUID) -> None:
    """Retry a dead job, with all its attempts."""
    if not await replay(runtime, id_):
        raise click.ClickException(await _why_not(runtime, id_, "dead"))
    click.echo("The job is waiting for a worker.")


@jobs.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@with_runtime
async def cancel(runtime: Runtime, id_: UUID) -> None:
    """Cancel a waiting job."""
    if not await cancel_job(runtime, id_):
        raise click.ClickException(await _why_not(runtime, id_, "waiting"))
    click.echo("Cancelled.")


@click.command()
@click.option("--count", type=click.IntRange(1, 100), default=3, show_default=True, help="Number of runs to show.")
@with_runtime
async def crons(runtime: Runtime, count: int) -> None:
    """List the scheduled jobs and their next runs, in UTC."""
    schedules = sorted((Schedule(cron) for cron in crons_of(runtime)), key=lambda schedule: schedule.name)
    for schedule in schedules:
        click.echo(f"{schedule.name}  {schedule.cron.expression}  {schedule.cron.time_zone}")
        for time in islice(schedule.after(utc_now()), count):
            click.echo(f"  {time:%a %Y-%m-%d %H:%M} UTC")
    if not schedules:
        click.echo("No scheduled jobs.")


async def _why_not(runtime: Runtime, id_: UUID, wanted: str) -> str:
    job = await get_job(runtime, id_)
    return f"There is no job {id_}." if job is None else f"The job is {job.state}, not {wanted}."


def _check_types(function: Callable[..., object], arguments: Mapping[str, object]) -> None:
    """Check JSON values against the annotations of the job's parameters, the first of which is the runtime.

    Raises:
        ValueError: names the first argument that doesn't match.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except NameError:
        # Types that are imported for type checkers only.
        return
    for name, value in list(arguments.items())[1:]:
        if name in hints:
            try:
                TypeAdapter(hints[name]).validate_python(value)
            except ValidationError as error:
                reason = error.errors()[0]["msg"].removeprefix("Value error, ")
                raise ValueError(f"{name}: {reason[0].lower()}{reason[1:]}") from None


def _described(parameter: inspect.Parameter) -> str:
    if isinstance(metadata := getattr(parameter.annotation, "__metadata__", None), tuple) and metadata:
        return str(parameter.replace(annotation=parameter.annotation.__origin__))
    return str(parameter)


def _json(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value


def _line(job: Job) -> str:
    created = f"{job.created_at:%Y-%m-%d %H:%M:%S}"
    attempts = f"{job.attempts} of {job.max_attempts} attempts"
    return "  ".join(str(part) for part in (job.id, created, job.state, job.name, attempts, job.error or "")).rstrip()
