"""What the module adds to the command `app`: workers, and a look at the jobs."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import click

from app.core.commands import CommandLine, with_runtime
from app.core.lifecycle import create_runtime
from app.core.runtime import Runtime
from app.jobs.alive import is_alive, sign_of_life
from app.jobs.models import Job, JobState
from app.jobs.operations import cancel as cancel_job
from app.jobs.operations import get_job, list_jobs, replay
from app.jobs.worker import connections_left, fastest_loop, reloading, work

APP = Path(__file__).resolve().parents[1]


@click.command()
@click.option("--concurrency", type=click.IntRange(1, 1000), help="Jobs at once; if not set, DB_POOL_SIZE less 2.")
@click.option("--grace", type=click.FloatRange(0), default=30.0, show_default=True, help="Seconds to finish in.")
@click.option("--reload", is_flag=True, help="Follow changes of the code.")
@click.option("--health", is_flag=True, help="Work nothing: tell by the exit code whether the worker here is alive.")
@click.pass_context
def worker(ctx: click.Context, *, concurrency: int | None, grace: float, reload: bool, health: bool) -> None:
    """Run jobs until stopped; what runs then may finish, and what takes too long is given back."""
    if health:
        sys.exit(0 if is_alive(sign_of_life()) else 1)
    command_line = ctx.find_object(CommandLine)
    if command_line is None:
        raise RuntimeError("This runs below the command `app`.")
    with command_line.database():
        if reload:
            options = [f"--grace={grace}", *([f"--concurrency={concurrency}"] if concurrency else [])]
            sys.exit(reloading(options, APP, grace))
        runtime = create_runtime(command_line.modules)
        jobs_at_once = concurrency or connections_left(runtime)
        body = work(runtime, concurrency=jobs_at_once, grace=timedelta(seconds=grace), alive=sign_of_life().touch)
        asyncio.run(body, loop_factory=fastest_loop())


@click.group()
def jobs() -> None:
    """Shows what is queued, runs dead jobs again, cancels what waits."""


@jobs.command("list")
@click.option("--state", type=click.Choice([str(state) for state in JobState]), help="Only those.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="The newest so many.")
@with_runtime
async def list_(runtime: Runtime, state: str | None, limit: int) -> None:
    """Lists jobs, the newest first. What they are given is not shown."""
    found, total = await list_jobs(runtime, state=JobState(state) if state else None, limit=limit)
    for job in found:
        click.echo(_line(job))
    click.echo(f"{len(found)} of {total}" if found else "There are none.")


@jobs.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@with_runtime
async def retry(runtime: Runtime, id_: UUID) -> None:
    """Gives a dead job all its attempts again."""
    if not await replay(runtime, id_):
        raise click.ClickException(await _why(runtime, id_, "dead"))
    click.echo("It waits for a worker.")


@jobs.command()
@click.argument("id_", metavar="ID", type=click.UUID)
@with_runtime
async def cancel(runtime: Runtime, id_: UUID) -> None:
    """Stops a job that waits."""
    if not await cancel_job(runtime, id_):
        raise click.ClickException(await _why(runtime, id_, "waiting"))
    click.echo("Cancelled.")


async def _why(runtime: Runtime, id_: UUID, wanted: str) -> str:
    job = await get_job(runtime, id_)
    return f"There is no job {id_}." if job is None else f"The job is {job.state}, not {wanted}."


def _line(job: Job) -> str:
    queued = f"{job.created_at:%Y-%m-%d %H:%M:%S}"
    attempts = f"{job.attempts} of {job.max_attempts} attempts"
    return "  ".join(str(part) for part in (job.id, queued, job.state, job.name, attempts, job.error or "")).rstrip()
