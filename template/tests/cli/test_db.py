from collections.abc import AsyncIterator

import pytest

from tests.cli.test_commands import app, refused
from tests.databases import Databases


@pytest.fixture(autouse=True)
async def url(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """DATABASE_URL is that of an empty database."""
    async with databases.empty() as opened:
        monkeypatch.setenv("DATABASE_URL", opened)
        yield opened


class TestUpgrade:
    def test_says_what_it_does_and_when_there_is_nothing_to_do(self) -> None:
        assert "Applied users_0001: " in app("db", "upgrade").output
        assert app("db", "upgrade").output.startswith("Nothing to do")


class TestDowngrade:
    def test_says_what_it_does_and_when_there_is_nothing_to_do(self) -> None:
        app("db", "upgrade")
        assert "Reverted users_0001: " in app("db", "downgrade", "base").output
        assert app("db", "downgrade", "base").output.startswith("Nothing to do")

    def test_refuses_what_it_does_not_know(self) -> None:
        assert "nobody@base is neither" in refused(app("db", "downgrade", "nobody@base"))


class TestCurrent:
    def test_shows_how_far_each_module_is(self) -> None:
        assert "users            none, " in app("db", "current").output
        app("db", "upgrade")
        assert "users            users_0002 (" in app("db", "current").output


class TestHistory:
    def test_lists_what_stands_on_another_after_it(self) -> None:
        app("db", "upgrade")
        said = app("db", "history").output
        assert said.index("core_0001") < said.index("users_0001")
        assert "applied  users" in said


class TestCheck:
    def test_agrees_or_says_what_differs(self) -> None:
        assert "app db upgrade" in refused(app("db", "check"))
        app("db", "upgrade")
        assert app("db", "check").output == "The models and the database agree.\n"


class TestRevision:
    def test_writes_nothing_when_there_is_nothing_to_do(self) -> None:
        app("db", "upgrade")
        assert app("db", "revision", "-m", "Nothing").output.startswith("Nothing to do")

    def test_wants_a_message(self) -> None:
        assert "Missing option '-m'" in app("db", "revision").output
