import json
import socket
from pathlib import Path

import click
import jwt
import pytest
from click.testing import CliRunner, Result

from app.cli.main import cli
from app.core.manifest import Module
from tests.databases import apart


def app(*arguments: str, answer: str | None = None) -> Result:
    """Run the command in this process, with an answer to its question."""
    results: list[Result] = []
    apart(lambda: results.append(CliRunner().invoke(cli, arguments, input=answer)))
    return results[0]


def refused(result: Result) -> str:
    """Return the error message that the command printed, after checking that it is not a traceback."""
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith("Error: ")
    return result.stderr


class TestHelp:
    def test_lists_the_commands_of_core_and_modules(self) -> None:
        said = app("--help").output
        for name in ("db", "dev", "openapi", "routes", "serve", "token", "user"):
            assert f"  {name} " in said

    def test_groups_of_the_same_name_become_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        first, second = (
            click.Group("shop", commands={name: click.Command(name)}, help=f"Help of {name}.")
            for name in ("buy", "sell")
        )
        modules = (Module(name="a", commands=(first,)), Module(name="b", commands=(second,)))
        monkeypatch.setattr("app.modules.MODULES", modules)
        shown = CliRunner().invoke(cli, ["shop", "--help"]).output
        assert all(text in shown for text in ("Help of buy.", "  buy", "  sell"))


class TestToken:
    def test_is_one(self) -> None:
        claims = jwt.decode(
            app("token", "--email", "me@example.com").output.strip(), options={"verify_signature": False}
        )
        assert claims["email"] == "me@example.com"

    def test_is_given_in_local_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        assert "ENVIRONMENT=local only" in refused(app("token", "--email", "me@example.com"))


class TestRoutes:
    def test_are_listed_with_their_methods(self) -> None:
        assert "GET     /api/v1/public/health " in app("routes").output


class TestOpenapi:
    def test_is_a_schema(self) -> None:
        assert "/api/v1/app/users/me" in json.loads(app("openapi").output)["paths"]

    def test_is_written_to_the_given_file(self, tmp_path: Path) -> None:
        target = tmp_path / "new" / "schema.json"
        app("openapi", "--output", str(target))
        assert json.loads(target.read_text())["openapi"].startswith("3.")


class TestErrors:
    def test_of_settings_list_all_problems(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PROJECT_NAME")
        monkeypatch.setenv("LOG_LEVEL", "LOUD")
        said = refused(app("routes"))
        assert "PROJECT_NAME" in said
        assert "LOG_LEVEL" in said

    @pytest.mark.parametrize("command", [["db", "upgrade"], ["db", "check"], ["db", "current"], ["user", "list"]])
    def test_of_a_database_that_is_down_name_it(self, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            url = f"postgresql+asyncpg://app:unheard-of@127.0.0.1:{closed.getsockname()[1]}/app"
            monkeypatch.setenv("DATABASE_URL", url)
            said = refused(app(*command))
        assert "DATABASE_URL" in said
        assert "unheard-of" not in said

    def test_of_a_malformed_url_do_not_repeat_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "mysql://root:secret-word@host/app")
        said = refused(app("db", "upgrade"))
        assert "DATABASE_URL" in said
        assert "secret-word" not in said

    def test_of_a_missing_database_name_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL")
        monkeypatch.setenv("ENVIRONMENT", "production")
        assert "DATABASE_URL is not set" in refused(app("db", "upgrade"))

    def test_of_an_unknown_module_name_it(self) -> None:
        assert "no module nobody" in refused(app("db", "revision", "-m", "x", "--module", "nobody"))


class TestServe:
    def test_wants_a_database(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("DATABASE_URL")
        assert "app dev" in refused(app("serve"))
