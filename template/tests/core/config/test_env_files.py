"""Files with environment variables, and values that are unsafe."""

from pathlib import Path

import pytest

from app.core.config.settings import ModuleSettings, Settings
from tests.core.config.deployed import STRONG, core, deployed, problems

__all__ = ["deployed"]


class TestEnvironmentName:
    def test_an_empty_one_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "")
        assert problems()[0] == "ENVIRONMENT is empty; set it to local, staging or production, or remove it"

    def test_an_empty_one_in_the_file_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("ENVIRONMENT")
        (tmp_path / ".env").write_text("ENVIRONMENT=\n")
        for cls in (ModuleSettings, Settings):
            monkeypatch.setitem(cls.model_config, "env_file", tmp_path / ".env")
        assert problems(Settings)[0].startswith("ENVIRONMENT is empty")


class TestWhatReadersOfEnvFilesDo:
    def test_a_dollar_sign_in_the_file_is_a_character(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("SECRET_KEY")
        monkeypatch.setenv("HOME_OF", "elsewhere")
        (tmp_path / ".env").write_text(f"SECRET_KEY={STRONG}${{HOME_OF}}$x\n")
        monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
        assert core().SECRET_KEY.get_secret_value() == f"{STRONG}${{HOME_OF}}$x"

    @pytest.mark.parametrize("quote", ["'", '"'])
    def test_quotes_that_docker_keeps_are_removed_from_json(self, monkeypatch: pytest.MonkeyPatch, quote: str) -> None:
        monkeypatch.setenv("BACKEND_CORS_ORIGINS", f'{quote}["https://app.example.com"]{quote}')
        assert core().BACKEND_CORS_ORIGINS == ("https://app.example.com",)

    def test_quotes_that_docker_keeps_are_named_elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_KEY", f'"{STRONG}"')
        assert problems() == ["SECRET_KEY has quotes around it, which are part of the value here; remove them"]

    @pytest.mark.parametrize(
        "value", ["  # required; make one with: openssl rand -hex 32", "# openssl rand -hex 32 ..."]
    )
    def test_a_comment_as_a_value_is_refused(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("SECRET_KEY", value)
        assert problems() == ["SECRET_KEY is a comment, not a value; write comments on lines of their own"]

    def test_a_password_can_begin_with_a_hash_sign(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_KEY", f"#{STRONG}")
        assert core().SECRET_KEY.get_secret_value() == f"#{STRONG}"

    @pytest.mark.parametrize(
        "line", ['ENVIRONMENT="production', "ENVIRONMENT='production' eu", "ENVIRONMENT: production"]
    )
    def test_an_invalid_line_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str) -> None:
        monkeypatch.delenv("ENVIRONMENT")
        (tmp_path / ".env").write_text(f"LOG_LEVEL=INFO\n{line}\n")
        for cls in (ModuleSettings, Settings):
            monkeypatch.setitem(cls.model_config, "env_file", tmp_path / ".env")
        assert problems(Settings) == [".env has an error in line 2: write NAME=value, and close every quote"]


class TestUnsafeValues:
    @pytest.mark.parametrize("password", ["postgres", "admin", "me"])
    def test_a_common_password_is_refused(self, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
        monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{password}@db.internal/app")
        assert problems() == ["DATABASE_URL has an example password"]

    def test_all_origins_are_allowed_in_staging_but_not_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BACKEND_CORS_ORIGINS", '["*"]')
        assert problems() == ['BACKEND_CORS_ORIGINS cannot be "*" in production; list the origins of your front ends']
        monkeypatch.setenv("ENVIRONMENT", "staging")
        assert core().BACKEND_CORS_ORIGINS == ("*",)
