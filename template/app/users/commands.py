"""The command `app user`: roles are given here, since before the first administrator nobody could give them.

And what somebody may ask for who cannot sign in any longer: their data, and their end.
"""

import os
from pathlib import Path
from uuid import UUID

import click
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from app.core.commands import with_runtime
from app.core.data_policy.personal_data import export_user
from app.core.db.pagination import MAX_LIMIT, PageParams
from app.core.runtime import Runtime
from app.users.erasure import erase_user
from app.users.models import Role, User
from app.users.repository import UserRepository
from app.users.schemas import UserRead
from app.users.service import set_role


@click.group("user")
def user() -> None:
    """List users, give them roles, export and erase their data."""


@user.command("promote")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.option("--role", type=click.Choice([role.value for role in Role]), default=Role.ADMIN.value, show_default=True)
@with_runtime
async def promote(runtime: Runtime, who: str, role: str) -> None:
    """Give a user a role, from their next request on."""
    async with runtime.database.transaction() as session:
        changed = await set_role(session, (await _find(session, who)).id, Role(role))
    click.echo(f"{_describe(changed)} now has the role {changed.role.value}.")


@user.command("list")
@click.option("--search", default="", help="Part of an address or a name.")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Only these.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True)
@with_runtime
async def list_users(runtime: Runtime, search: str, role: str | None, limit: int) -> None:
    """List users, the newest first: id, role, whether active, address, name."""
    where = [] if role is None else [col(User.role) == Role(role)]
    async with runtime.database.reading() as session:
        found = await UserRepository(session).page(UserRead, PageParams(limit=limit), *where, search=search)
    for one in found.items:
        active = "active" if one.is_active else "deactivated"
        click.echo("\t".join((str(one.id), one.role.value, active, one.email or "-", one.full_name or "-")))
    click.echo(f"{len(found.items)} of {found.total} users.", err=True)


@user.command("export")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), required=True, help="A file, made new.")
@with_runtime
async def export(runtime: Runtime, who: str, output: Path) -> None:
    """Write all that is kept of a user into a JSON file that only you can read."""
    async with runtime.database.reading() as session:
        found = await _find(session, who)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        async for piece in export_user(runtime, found.id):
            file.write(piece)
    click.echo(f"All that is kept of {_describe(found)} is in {output}.")


@user.command("erase")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_runtime
async def erase(runtime: Runtime, who: str, yes: bool) -> None:  # noqa: FBT001 - click gives it by name
    """Remove a user and all that is theirs, for good."""
    async with runtime.database.reading() as session:
        found = await _find(session, who)
    if not yes:
        click.confirm(f"Remove {_describe(found)} and all that is theirs, for good?", abort=True)
    await erase_user(runtime, found.id)
    click.echo(f"{found.id} is gone.")


async def _find(session: AsyncSession, who: str) -> User:
    """The one user whom the id or the address means."""
    users = UserRepository(session)
    user_id = _as_id(who)
    where = col(User.email) == who.strip().lower() if user_id is None else col(User.id) == user_id
    found = await users.get_multi(where)
    if not found:
        raise click.ClickException(
            f"There is no user {who}. Users exist from their first request on; `app user list` shows them."
        )
    if len(found) > 1:
        ids = "\n".join(f"  {one.id}  created {one.created_at:%Y-%m-%d %H:%M}" for one in found)
        raise click.ClickException(f"{who} is the address of {len(found)} users. Say which by the id:\n{ids}")
    return found[0]


def _as_id(who: str) -> UUID | None:
    try:
        return UUID(who)
    except ValueError:
        return None


def _describe(found: User) -> str:
    return f"{found.email} ({found.id})" if found.email else str(found.id)
