"""Two people have each added a revision to the same branch."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from app.kit.user_error import UserError
from app.migrate import migrations
from app.migrate.database_state import current_heads, on_database
from app.migrate.differences import make_revision
from tests.cli.test_commands import app
from tests.migrations.files import create, write_file


@pytest.fixture
def one(folder: Path, url: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The branch has one revision, and `app` works on the database."""
    monkeypatch.setenv("DATABASE_URL", url)
    write_file(folder, "aaa", None, create("a"), 'op.drop_table("a")')
    return folder


def add(folder: Path, *names: str, parent: str = "aaa") -> None:
    for name in names:
        write_file(folder, name, parent, create(name), f'op.drop_table("{name}")')


async def execute(url: str, statement: str, **values: str) -> None:
    await asyncio.to_thread(on_database, url, lambda connection: connection.execute(text(statement), values))


async def replace_head(url: str, old: str, new: str) -> None:
    await execute(url, "UPDATE alembic_version SET version_num = :new WHERE version_num = :old", old=old, new=new)


async def upgrade(url: str) -> int:
    return await asyncio.to_thread(migrations.upgrade, url)


async def tables(url: str) -> set[str]:
    def names(connection: Connection) -> list[str]:
        return inspect(connection).get_table_names()

    return set(await asyncio.to_thread(on_database, url, names))


class TestTwoHeads:
    async def test_upgrade_refuses_them_and_names_the_solution(self, url: str, one: Path) -> None:
        add(one, "bbb", "ccc")
        with pytest.raises(UserError, match=r"(?s)app has 2 newest revisions.*bbb.*ccc.*app db merge"):
            await upgrade(url)
        assert await tables(url) == set()

    async def test_revision_advises_the_merge(self, url: str, one: Path) -> None:
        await upgrade(url)
        add(one, "bbb", "ccc")
        with pytest.raises(UserError, match="app db merge"):
            await asyncio.to_thread(make_revision, url, "More", empty=True)

    async def test_current_shows_both(self, url: str, one: Path) -> None:
        await apply_apart(url, one, "bbb", "ccc")
        add(one, "bbb", "ccc")
        said = app("db", "current").output
        assert "bbb () and ccc ()" in said
        assert "app db merge" in said


async def apply_apart(url: str, folder: Path, *names: str) -> None:
    """Apply revisions, each while the file of the others is elsewhere."""
    for name in names:
        add(folder, name)
        await upgrade(url)
        (folder / "versions" / "app" / f"{name}_.py").unlink()
        await replace_head(url, name, "aaa")
    if names:
        await replace_head(url, "aaa", names[0])
    for name in names[1:]:
        await execute(url, "INSERT INTO alembic_version VALUES (:name)", name=name)


class TestMerge:
    @pytest.mark.parametrize("applied", [(), ("bbb",), ("ccc",), ("bbb", "ccc")], ids="+".join)
    async def test_suits_every_database(self, url: str, one: Path, applied: tuple[str, ...]) -> None:
        await apply_apart(url, one, *applied)
        add(one, "bbb", "ccc")
        merged = await asyncio.to_thread(migrations.merge, url, "Merge")
        assert merged is not None
        assert [name for name in ("bbb", "ccc") if name not in applied] == sorted(set(merged[1]) & {"bbb", "ccc"})
        await upgrade(url)
        assert {"a", "bbb", "ccc"} <= await tables(url)
        written = await asyncio.to_thread(make_revision, url, "More", empty=True)
        assert written.path is not None
        assert await upgrade(url) == 1
        with pytest.raises(UserError, match="merge"):
            await asyncio.to_thread(migrations.downgrade, url, "app@-2")
        await asyncio.to_thread(migrations.downgrade, url, "aaa")
        assert await tables(url) & {"a", "bbb", "ccc"} == {"a"}
        await asyncio.to_thread(migrations.downgrade, url, "app@base")

    async def test_does_nothing_with_one_head(self, url: str, one: Path) -> None:  # noqa: ARG002
        assert "Nothing to do" in app("db", "merge").output

    async def test_is_a_command(self, url: str, one: Path) -> None:
        add(one, "bbb", "ccc")
        said = app("db", "merge").output
        assert "Commit it." in said
        for name in ("aaa", "bbb", "ccc", "core_0001"):
            assert name in said
        assert await upgrade(url) >= 4


class TestTwoBeginnings:
    @pytest.mark.parametrize("applied", [None, "aaa", "bbb"])
    async def test_of_the_branch_are_joined(self, url: str, one: Path, applied: str | None) -> None:
        first = one / "versions" / "app" / "aaa_.py"
        second = write_file(one, "bbb", None, create("bbb"), 'op.drop_table("bbb")')
        if applied is not None:
            other = second if applied == "aaa" else first
            text_of_other = other.read_text()
            other.unlink()
            await upgrade(url)
            other.write_text(text_of_other)
        with pytest.raises(UserError, match=r"both begin the branch app.*app db merge"):
            await upgrade(url)
        assert "Commit it." in app("db", "merge").output
        await upgrade(url)
        assert {"a", "bbb"} <= await tables(url)
        assert (await asyncio.to_thread(make_revision, url, "More", empty=True)).path is not None
        assert await upgrade(url) == 1
        await asyncio.to_thread(migrations.downgrade, url, "app@base")
        assert not {"a", "bbb"} & await tables(url)
        await upgrade(url)


class TestOverlap:
    async def test_of_an_edited_parent_is_repaired(self, url: str, one: Path) -> None:
        add(one, "bbb")
        await upgrade(url)
        # The other was applied beside it, and then made to follow it.
        await execute(url, "CREATE TABLE ccc (id INTEGER)")
        await execute(url, "INSERT INTO alembic_version VALUES ('ccc')")
        add(one, "ccc", parent="bbb")
        add(one, "ddd", parent="ccc")
        said: list[str] = []
        await asyncio.to_thread(migrations.upgrade, url, say=said.append)
        assert "bbb was listed beside" in said[0]
        heads = await asyncio.to_thread(current_heads, url)
        assert "ddd" in heads
        assert not {"bbb", "ccc"} & set(heads)


class TestFiles:
    async def test_without_a_parent_are_named(self, url: str, one: Path) -> None:
        add(one, "bbb", parent="zzz")
        with pytest.raises(UserError, match=r"app/bbb_.py follows zzz, whose file is not"):
            await upgrade(url)

    async def test_with_one_id_are_named(self, url: str, one: Path) -> None:
        copy = (one / "versions" / "app" / "aaa_.py").read_text()
        (one / "versions" / "app" / "other.py").write_text(copy)
        with pytest.raises(UserError, match=r"Two files have the revision id aaa"):
            await upgrade(url)
