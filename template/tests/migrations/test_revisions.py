import asyncio
import os
import sys

import pytest

from app.core.db.models import metadata
from app.kit.user_error import UserError
from app.migrate import migrations
from app.migrate.branches import Branches
from app.migrate.differences import differences
from tests.migrations.rows import fill

pytestmark = pytest.mark.every_module


def branches_of(url: str) -> Branches:
    return migrations.branches(migrations.configuration(url, needs_metadata=False))


class TestUpgrade:
    async def test_makes_what_the_models_say(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == []

    async def test_tells_of_each_revision_and_then_of_none(self, url: str) -> None:
        said: list[str] = []
        count = await asyncio.to_thread(migrations.upgrade, url, say=said.append)
        assert count == len(said) == len(branches_of(url).revisions)
        assert await asyncio.to_thread(migrations.upgrade, url) == 0

    async def test_goes_down_and_up_again_on_tables_with_rows(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        await fill(url, metadata)
        await asyncio.to_thread(migrations.downgrade, url, "base")
        assert await asyncio.to_thread(migrations.current_heads, url) == ()
        await asyncio.to_thread(migrations.upgrade, url)
        assert await asyncio.to_thread(differences, url) == []

    async def test_two_at_once_take_turns(self, url: str) -> None:
        command = [sys.executable, "-m", "app.cli.main", "db", "upgrade"]
        environment = os.environ | {"DATABASE_URL": url}
        running = [await asyncio.create_subprocess_exec(*command, env=environment) for _ in range(2)]
        assert [await process.wait() for process in running] == [0, 0]
        assert await asyncio.to_thread(differences, url) == []


class TestDowngrade:
    async def test_takes_each_module_back_by_itself(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        await fill(url, metadata)
        found = branches_of(url)
        # The last that was made stands on nothing but what was made before.
        order = list(dict.fromkeys(found.name_of(revision) for revision in reversed(found.revisions)))
        for name in order:
            assert await asyncio.to_thread(migrations.downgrade, url, f"{name}@base") == len(found.line(name))
        assert await asyncio.to_thread(migrations.current_heads, url) == ()

    async def test_refuses_while_others_stand_on_it(self, url: str) -> None:
        await asyncio.to_thread(migrations.upgrade, url)
        with pytest.raises(UserError, match=r"users: users_0001 .*migrations/versions/users"):
            await asyncio.to_thread(migrations.downgrade, url, "core@base")
        assert await asyncio.to_thread(differences, url) == []

    @pytest.mark.parametrize("target", ["nobody@base", "users@+1", "users_9999", "head", ""])
    async def test_names_the_branches_when_the_target_is_none(self, url: str, target: str) -> None:
        with pytest.raises(UserError, match=r"The names are: .*core.*users"):
            await asyncio.to_thread(migrations.downgrade, url, target)


class TestUnknownRevision:
    async def test_is_named_with_the_way_out(self, url: str, folder: object) -> None:  # noqa: ARG002 - a copy to damage
        versions = migrations.MIGRATIONS / "versions" / "later"
        versions.mkdir()
        (versions / "later_0001.py").write_text(
            'revision = "later_0001"\ndown_revision = None\nbranch_labels = ("later",)\ndepends_on = None\n'
            "def upgrade() -> None: ...\ndef downgrade() -> None: ...\n"
        )
        await asyncio.to_thread(migrations.upgrade, url)
        (versions / "later_0001.py").unlink()
        with pytest.raises(UserError, match="later_0001"):
            await asyncio.to_thread(migrations.upgrade, url)
