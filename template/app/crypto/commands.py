"""The commands `app crypto`: make an encryption key, and rotate the keys."""

from collections.abc import Mapping
from typing import Final

import click

from app.core.commands import with_runtime
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.crypto.rotation import Failure, RotatedColumn, count_by_key, rotate, rotated_columns
from app.crypto.settings import CryptoSettings
from app.kit.crypto.encryption import EncryptionKey, InvalidKeyError

MAX_SHOWN: Final = 10
"""Failures that are listed for a column."""


@click.group()
def crypto() -> None:
    """Make encryption keys and rotate them."""


@crypto.command("new-key")
@click.option("--id", "key_id", help="The key's id. Default: the date and time.")
def new_key(key_id: str | None) -> None:
    """Print a new entry for ENCRYPTION_KEYS.

    The output is a secret: put it into your secret manager, not into a log.
    """
    try:
        click.echo(str(EncryptionKey.generate(key_id or f"{utc_now():%Y-%m-%d-%H%M%S}")))
    except InvalidKeyError as error:
        raise click.ClickException(f"{str(error).capitalize()}.") from None


@crypto.command("rotate")
@click.option("--dry-run", is_flag=True, help="Change nothing: count the values by key, and check that they decrypt.")
@with_runtime
async def rotate_(runtime: Runtime, *, dry_run: bool) -> None:
    """Encrypt all values again that the first key of ENCRYPTION_KEYS has not encrypted.

    The application may run meanwhile. If the command is interrupted, run it again. Exits with 1 if values of former
    keys are left.
    """
    current = runtime.resource(CryptoSettings).keyring.current_id
    found = list(rotated_columns(runtime))
    if not found:
        click.echo("No table has an encrypted column.")
        return
    complete = True
    for rotated in found:
        failures = await _rotate_column(runtime, rotated, current, dry_run=dry_run)
        counts = await count_by_key(runtime, rotated)
        click.echo(f"{rotated.name}: {_summary(counts, current)}")
        for failure in failures[:MAX_SHOWN]:
            click.echo(f"  row {failure.row}: {failure.reason}", err=True)
        if len(failures) > MAX_SHOWN:
            click.echo(f"  and {len(failures) - MAX_SHOWN} more rows", err=True)
        complete = complete and not failures and (dry_run or set(_left(counts, current)) == set())
    if not complete:
        raise click.ClickException(
            "Some values are not encrypted with the first key. Keep the former keys, and run the command again."
        )


async def _rotate_column(runtime: Runtime, rotated: RotatedColumn, current: str, *, dry_run: bool) -> list[Failure]:
    total = sum(_left(await count_by_key(runtime, rotated), current).values())
    failures: dict[str, Failure] = {}
    with click.progressbar(length=total, label=rotated.name) as bar:
        async for batch in rotate(runtime, rotated, dry_run=dry_run):
            bar.update(batch.done)
            failures |= {failure.row: failure for failure in batch.failures}
    return list(failures.values())


def _left(counts: Mapping[str, int], current: str) -> dict[str, int]:
    return {key_id: count for key_id, count in counts.items() if count and key_id != current}


def _summary(counts: Mapping[str, int], current: str) -> str:
    parts = [f"{counts[current]} with the first key ({current})"]
    parts += [f"{count} with {key_id}" for key_id, count in _left(counts, current).items()]
    return ", ".join(parts)
