"""The command `app user`.

It assigns the first administrator, whom no other administrator could assign, and serves users who can no longer sign
in: it exports and erases their data.
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
from app.users.errors import UnverifiedEmailError
from app.users.models import User
from app.users.repository import UserRepository
from app.users.roles import AccessPolicy, Role
from app.users.schemas import UserRead, UserUpdate
from app.users.service import UserAdministration


@click.group("user")
def user() -> None:
    """List users, grant and revoke roles, revoke tokens, export and erase data."""


@user.command("grant")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.argument("role")
@with_runtime
async def grant(runtime: Runtime, who: str, role: str) -> None:
    """Give a user a role in place of their present one, from the next request on.

    ROLE is `user`, `admin`, or a role of app/project_roles.py. An address must be verified by the identity provider.
    An id is always accepted.
    """
    async with runtime.database.transaction() as session:
        administration = _administration(runtime, session)
        administration.policy.require(role)
        found = await _find(session, who)
        if role != Role.USER and _as_id(who) is None and not found.email_verified:
            raise UnverifiedEmailError(found.id)
        changed = await administration.change(found.id, UserUpdate(role=role))
    click.echo(f"{_describe(changed)} now has the role {changed.role}.")


@user.command("revoke")
@click.argument("who", metavar="EMAIL_OR_ID")
@with_runtime
async def revoke(runtime: Runtime, who: str) -> None:
    """Take a user's role away, from the next request on. The user keeps the role `user`."""
    async with runtime.database.transaction() as session:
        found = await _find(session, who)
        before = found.role
        changed = await _administration(runtime, session).change(found.id, UserUpdate(role=Role.USER.value))
    click.echo(
        f"{_describe(changed)} no longer has the role {before}."
        if before != Role.USER
        else f"{_describe(changed)} has the role user. Nothing was changed."
    )


@user.command("revoke-tokens")
@click.argument("who", metavar="EMAIL_OR_ID")
@with_runtime
async def revoke_tokens(runtime: Runtime, who: str) -> None:
    """Refuse all tokens that a user holds now.

    The user can sign in again. End the user's sessions at the identity provider first, or they get new tokens.
    """
    async with runtime.database.transaction() as session:
        found = await _find(session, who)
        revoked = await _administration(runtime, session).revoke_tokens(found.id)
    click.echo(f"All tokens of {_describe(revoked)} issued until now are refused.")


@user.command("list")
@click.option("--search", default="", help="Part of an address or a name.")
@click.option("--role", help="Only users with this role.")
@click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=50, show_default=True, help="Maximum number.")
@with_runtime
async def list_users(runtime: Runtime, search: str, role: str | None, limit: int) -> None:
    """List users, newest first: id, role, status, address, name."""
    where = [] if role is None else [col(User.role) == role]
    async with runtime.database.reading() as session:
        found = await UserRepository(session).page(UserRead, PageParams(limit=limit), *where, search=search)
    for one in found.items:
        active = "active" if one.is_active else "deactivated"
        click.echo("\t".join((str(one.id), one.role, active, one.email or "-", one.full_name or "-")))
    click.echo(f"{len(found.items)} of {found.total} users.", err=True)


@user.command("export")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The file to create. It must not exist.",
)
@with_runtime
async def export(runtime: Runtime, who: str, output: Path) -> None:
    """Export all data about a user to a JSON file that only you can read."""
    async with runtime.database.reading() as session:
        found = await _find(session, who)
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise click.ClickException(f"{output}: {error.strerror}.") from None
    with os.fdopen(descriptor, "wb") as file:
        async for piece in export_user(runtime, found.id):
            file.write(piece)
    click.echo(f"Exported all data about {_describe(found)} to {output}.")


@user.command("erase")
@click.argument("who", metavar="EMAIL_OR_ID")
@click.option("--yes", is_flag=True, help="Don't ask for confirmation.")
@with_runtime
async def erase(runtime: Runtime, who: str, yes: bool) -> None:  # noqa: FBT001 - click passes it by name
    """Erase a user and all their data permanently."""
    async with runtime.database.reading() as session:
        found = await _find(session, who)
    if not yes:
        click.confirm(f"Erase {_describe(found)} and all their data permanently?", abort=True)
    await erase_user(runtime, found.id)
    click.echo(f"Erased {found.id}.")


def _administration(runtime: Runtime, session: AsyncSession) -> UserAdministration:
    return UserAdministration(session, runtime.audit, policy=runtime.resource(AccessPolicy))


async def _find(session: AsyncSession, who: str) -> User:
    """Return the user with this id or address."""
    users = UserRepository(session)
    user_id = _as_id(who)
    where = col(User.email) == who.strip().lower() if user_id is None else col(User.id) == user_id
    found = await users.get_multi(where)
    if not found:
        raise click.ClickException(
            f"User {who} not found. Users exist from their first request on; `app user list` lists them."
        )
    if len(found) > 1:
        ids = "\n".join(f"  {one.id}  created {one.created_at:%Y-%m-%d %H:%M}" for one in found)
        raise click.ClickException(f"{len(found)} users have the address {who}. Use an id instead:\n{ids}")
    return found[0]


def _as_id(who: str) -> UUID | None:
    try:
        return UUID(who)
    except ValueError:
        return None


def _describe(found: User) -> str:
    return f"{found.email} ({found.id})" if found.email else str(found.id)
