"""The command `app user`."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from app.auth.port import Identity
from app.cli.main import cli
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.users.errors import TokenRevokedError
from app.users.identities import create_user, find_caller
from app.users.roles import Role, RoleDefinition
from tests.conftest import make_runtime
from tests.databases import Databases
from tests.users.own_roles import define_roles


@pytest.fixture
async def data(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
    """A runtime on the database that the command will find in its environment."""
    async with databases.fresh() as url:
        monkeypatch.setenv("DATABASE_URL", url)
        runtime = make_runtime(create_database(Settings()))
        yield runtime
        await runtime.database.dispose()


async def app_user(*arguments: str, answer: str | None = None) -> Result:
    """Run `app user …` in a thread, because it starts its own event loop."""
    return await asyncio.to_thread(CliRunner().invoke, cli, ["user", *arguments], input=answer)


def last_line(result: Result) -> str:
    """Return the message of the command, which the lines of the log precede."""
    return result.output.splitlines()[-1]


async def a_user(
    runtime: Runtime, subject: str, email: str | None, name: str | None = None, *, verified: bool = True
) -> str:
    identity = Identity(
        provider="test", subject=subject, email=email, email_verified=verified and email is not None, name=name
    )
    await create_user(runtime, identity)
    caller = await find_caller(runtime.database, identity)
    assert caller is not None
    return str(caller.id)


async def role_of(runtime: Runtime, subject: str) -> str:
    caller = await find_caller(runtime.database, Identity(provider="test", subject=subject))
    assert caller is not None
    return caller.role


class TestGrantAndRevoke:
    async def test_grants_by_address_in_any_case(self, data: Runtime) -> None:
        user_id = await a_user(data, "ada", "ada@example.com")

        result = await app_user("grant", "Ada@Example.com", "admin")

        assert (result.exit_code, last_line(result)) == (0, f"ada@example.com ({user_id}) now has the role admin.")
        assert "action=user.updated actor_id=None" in result.output
        assert await role_of(data, "ada") == Role.ADMIN

    async def test_grants_by_id(self, data: Runtime) -> None:
        user_id = await a_user(data, "ada", None)

        result = await app_user("grant", user_id, "admin")

        assert (result.exit_code, last_line(result)) == (0, f"{user_id} now has the role admin.")
        assert await role_of(data, "ada") == Role.ADMIN

    async def test_refuses_an_unverified_address(self, data: Runtime) -> None:
        user_id = await a_user(data, "eve", "ada@example.com", verified=False)

        refused = await app_user("grant", "ada@example.com", "admin")

        assert refused.exit_code == 1
        assert "has not verified" in refused.output
        assert user_id in refused.output
        assert await role_of(data, "eve") == Role.USER
        assert (await app_user("grant", user_id, "admin")).exit_code == 0
        assert (await app_user("revoke", "ada@example.com")).exit_code == 1, "the last administrator"

    async def test_revokes_the_role(self, data: Runtime) -> None:
        for name in ("ada", "grace"):
            await a_user(data, name, f"{name}@example.com")
            await app_user("grant", f"{name}@example.com", "admin")

        result = await app_user("revoke", "ada@example.com")

        assert result.exit_code == 0
        assert await role_of(data, "ada") == Role.USER

    async def test_keeps_the_last_administrator(self, data: Runtime) -> None:
        await a_user(data, "ada", "ada@example.com")
        await app_user("grant", "ada@example.com", "admin")

        result = await app_user("revoke", "ada@example.com")

        assert result.exit_code == 1
        assert "the last active administrator" in result.output
        assert await role_of(data, "ada") == Role.ADMIN

    async def test_an_address_of_two_users_lists_their_ids(self, data: Runtime) -> None:
        ids = [await a_user(data, subject, "shared@example.com") for subject in ("one", "two")]

        result = await app_user("grant", "shared@example.com", "admin")

        assert result.exit_code == 1
        assert "2 users" in result.output
        assert all(user_id in result.output for user_id in ids)
        assert await role_of(data, "one") == await role_of(data, "two") == Role.USER

    @pytest.mark.parametrize("who", ["nobody@example.com", str(UUID(int=7)), "%", ""])
    async def test_an_unknown_user_is_reported_in_one_line(self, data: Runtime, who: str) -> None:
        await a_user(data, "ada", "ada@example.com")

        result = await app_user("grant", who, "admin")

        assert result.exit_code == 1
        assert result.output.startswith(f"Error: User {who} not found.")
        assert len(result.output.splitlines()) == 1

    @pytest.mark.parametrize("role", ["root", "Admin", "\u0430dmin", "", "admin "])
    async def test_an_unknown_role_is_refused(self, data: Runtime, role: str) -> None:
        await a_user(data, "ada", "ada@example.com")

        result = await app_user("grant", "ada@example.com", role)

        assert result.exit_code == 1
        assert result.output.startswith("Error: There is no role")
        assert result.output.splitlines()[0].isascii()
        assert await role_of(data, "ada") == Role.USER

    async def test_assigns_and_revokes_a_role_of_the_project(
        self, data: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        define_roles(monkeypatch, RoleDefinition("support"))
        user_id = await a_user(data, "ada", "ada@example.com")

        granted = await app_user("grant", "ada@example.com", "support")
        listed = await app_user("list", "--role", "support")
        revoked = await app_user("revoke", "ada@example.com")
        again = await app_user("revoke", "ada@example.com")

        assert "changes={'role': ['user', 'support']}" in granted.output
        assert user_id in listed.output
        assert last_line(revoked) == f"ada@example.com ({user_id}) no longer has the role support."
        assert last_line(again) == f"ada@example.com ({user_id}) has the role user. Nothing was changed."
        assert await role_of(data, "ada") == Role.USER


class TestRevokeTokens:
    async def test_tokens_issued_before_are_refused_and_new_ones_accepted(self, data: Runtime) -> None:
        user_id = await a_user(data, "ada", "ada@example.com")
        before = Identity(provider="test", subject="ada", issued_at=utc_now() - timedelta(seconds=1))

        result = await app_user("revoke-tokens", "ada@example.com")

        assert (result.exit_code, last_line(result)) == (
            0,
            f"All tokens of ada@example.com ({user_id}) issued until now are refused.",
        )
        for refused in (before, replace(before, issued_at=None)):
            with pytest.raises(TokenRevokedError):
                await find_caller(data.database, refused)
        assert await find_caller(data.database, replace(before, issued_at=utc_now()))


class TestList:
    async def test_lists_users_newest_first(self, data: Runtime) -> None:
        ada = await a_user(data, "ada", "ada@example.com", "Ada Lovelace")
        someone = await a_user(data, "someone", None)

        result = await app_user("list")

        assert result.stdout.splitlines() == [
            f"{someone}\tuser\tactive\t-\t-",
            f"{ada}\tuser\tactive\tada@example.com\tAda Lovelace",
        ]
        assert result.stderr == "2 of 2 users.\n"

    async def test_searches_and_filters(self, data: Runtime) -> None:
        for name in ("ada", "grace"):
            await a_user(data, name, f"{name}@example.com")
        await app_user("grant", "grace@example.com", "admin")

        assert "ada@" in (await app_user("list", "--search", "ADA")).stdout
        assert (await app_user("list", "--role", "admin")).stderr == "1 of 1 users.\n"
        assert (await app_user("list", "--search", "nobody")).stdout == ""


class TestExport:
    async def test_writes_a_file_that_only_its_owner_can_read(self, data: Runtime, tmp_path: Path) -> None:
        user_id = await a_user(data, "ada", "ada@example.com", "Ada Lovelace")
        await a_user(data, "grace", "grace@example.com")
        file = tmp_path / "ada.json"

        result = await app_user("export", "ada@example.com", "--output", str(file))

        assert (result.exit_code, result.output) == (
            0,
            f"Exported all data about ada@example.com ({user_id}) to {file}.\n",
        )
        (profile,) = json.loads(file.read_text(encoding="utf-8"))["tables"]["users"]
        assert profile["full_name"] == "Ada Lovelace"
        assert file.stat().st_mode & 0o777 == 0o600

    async def test_does_not_overwrite_a_file(self, data: Runtime, tmp_path: Path) -> None:
        await a_user(data, "ada", "ada@example.com")
        file = tmp_path / "ada.json"
        file.write_text("mine")

        result = await app_user("export", "ada@example.com", "--output", str(file))

        assert (result.exit_code, result.output) == (1, f"Error: {file}: File exists.\n")
        assert file.read_text() == "mine"


class TestErase:
    async def test_asks_for_confirmation(self, data: Runtime) -> None:
        user_id = await a_user(data, "ada", "ada@example.com")

        refused = await app_user("erase", "ada@example.com", answer="n\n")

        assert refused.exit_code == 1
        assert f"Erase ada@example.com ({user_id}) and all their data permanently? [y/N]" in refused.output
        assert "ada@example.com" in (await app_user("list")).stdout

    async def test_removes_the_user(self, data: Runtime) -> None:
        user_id = await a_user(data, "ada", "ada@example.com")

        result = await app_user("erase", "ada@example.com", answer="y\n")

        assert (result.exit_code, result.output.splitlines()[-1]) == (0, f"Erased {user_id}.")
        assert (await app_user("list")).stdout == ""

    async def test_keeps_the_last_administrator(self, data: Runtime) -> None:
        await a_user(data, "ada", "ada@example.com")
        await app_user("grant", "ada@example.com", "admin")

        result = await app_user("erase", "ada@example.com", "--yes")

        assert result.exit_code == 1
        assert "the last active administrator" in result.output
        assert await role_of(data, "ada") == Role.ADMIN
