"""The command `app audit`."""

import json
from collections.abc import Mapping
from pathlib import Path

import click
from pydantic import TypeAdapter, ValidationError

from app.audit.export import export
from app.audit.schemas import AuditFilters, ExportFormat
from app.audit.sealing import SealingKeys
from app.audit.verification import ChainReport, Checkpoint, take_checkpoint, verify
from app.core.commands import with_runtime
from app.core.runtime import Runtime

_CHECKPOINT: TypeAdapter[Mapping[str, tuple[int, str]]] = TypeAdapter(Mapping[str, tuple[int, str]])


@click.group()
def audit() -> None:
    """Verify and export the audit log."""


@audit.command("verify")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The output of an earlier `app audit checkpoint`. Its entries must still exist.",
)
@with_runtime
async def verify_log(runtime: Runtime, checkpoint: Path | None) -> None:
    """Find entries that were changed, deleted or invented. Exits with status 1 if there are any."""
    known = None if checkpoint is None else read_checkpoint(checkpoint)
    reports = await verify(runtime.database, runtime.resource(SealingKeys), known)
    problems = [problem for report in reports for problem in report.problems]
    for problem in problems:
        click.echo(problem, err=True)
    _warn_of_unknown_keys(reports)
    checked = sum(report.checked for report in reports)
    if problems:
        raise click.ClickException(f"The audit log was tampered with: {len(problems)} problems in {checked} entries.")
    click.echo(f"{checked} entries in {len(reports)} chains are complete and unchanged.")


@audit.command("checkpoint")
@with_runtime
async def print_checkpoint(runtime: Runtime) -> None:
    """Print the last entry of each chain as JSON, for a later `app audit verify`. Store it outside of the database."""
    click.echo(json.dumps(await take_checkpoint(runtime.database)))


@audit.command("export")
@click.option(
    "--format",
    "export_format",
    type=click.Choice([ExportFormat.CSV.value, ExportFormat.JSON_LINES.value]),
    default=ExportFormat.JSON_LINES.value,
    show_default=True,
    help="The format.",
)
@with_runtime
async def export_log(runtime: Runtime, export_format: str) -> None:
    """Print all entries, newest first."""
    async for chunk in export(runtime.database, AuditFilters(), ExportFormat(export_format)):
        click.echo(chunk, nl=False)


def read_checkpoint(file: Path) -> Checkpoint:
    """Return a stored checkpoint.

    Raises:
        ClickException: the file contains none.
    """
    try:
        return dict(_CHECKPOINT.validate_json(file.read_bytes()))
    except (OSError, ValidationError) as error:
        raise click.ClickException(f"{file} is not the output of `app audit checkpoint`.") from error


def _warn_of_unknown_keys(reports: list[ChainReport]) -> None:
    unknown = sum(report.unknown_keys for report in reports)
    if unknown:
        click.echo(
            f"Warning: the seals of {unknown} entries could not be checked: their key is neither SECRET_KEY nor in "
            "SECRET_KEY_PREVIOUS. Their hashes were checked.",
            err=True,
        )
