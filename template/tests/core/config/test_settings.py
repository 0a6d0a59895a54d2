"""Settings, and the problems that stop the start."""

from pathlib import Path

import pytest

from app.core.config.settings import ConfigurationError, Settings, load_settings
from tests.core.config.deployed import STRONG, ShopSettings, core, deployed, problems

__all__ = ["deployed"]


class TestProblems:
    def test_of_all_modules_are_listed_in_one_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PROJECT_NAME")
        monkeypatch.delenv("DATABASE_URL")
        monkeypatch.delenv("SHOP_KEY")
        monkeypatch.setenv("SECRET_KEY", "short")
        monkeypatch.setenv("BACKEND_CORS_ORIGINS", "https://app.example.com")
        monkeypatch.setenv("DB_POOL_SIZE", "many")
        monkeypatch.setenv("SHOP_COUNTRIES", "[")
        monkeypatch.setenv("SHOP_MAX_ITEMS", "0")
        assert [problem.partition(" ")[0] for problem in problems()] == [
            "PROJECT_NAME",
            "SECRET_KEY",
            "BACKEND_CORS_ORIGINS",
            "DATABASE_URL",
            "DB_POOL_SIZE",
            "SHOP_KEY",
            "SHOP_COUNTRIES",
            "SHOP_MAX_ITEMS",
        ]

    def test_never_show_a_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        values = ("sesame", "postgres://user:sesame@", "sesame", "sesame[", "sesame")
        names = ("SECRET_KEY", "DATABASE_URL", "ENVIRONMENT", "SHOP_COUNTRIES", "SHOP_MAX_ITEMS")
        for name, value in zip(names, values, strict=True):
            monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError) as caught:
            load_settings((Settings, ShopSettings))
        assert len(caught.value.problems) == len(names)
        assert "sesame" not in str(caught.value)

    def test_that_several_modules_share_are_listed_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "prod")
        assert problems() == ["ENVIRONMENT should be 'local', 'staging' or 'production'"]

    def test_are_not_hidden_by_an_unknown_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "prod")
        monkeypatch.delenv("SHOP_KEY")
        assert "SHOP_KEY is required outside local" in problems()

    def test_name_the_next_step(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SECRET_KEY")
        with pytest.raises(ConfigurationError, match=r"(?s)SECRET_KEY is not set.*Set them in the environment or in "):
            load_settings([Settings])

    def test_an_empty_value_counts_as_unset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET_KEY", "")
        assert problems() == ["SECRET_KEY is not set"]

    def test_an_unreadable_file_is_named(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / ".env").write_bytes(b"PROJECT_NAME=\xff\xfe\n")
        monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
        assert problems(Settings) == [".env is not UTF-8 text"]


class TestSecrets:
    @pytest.mark.parametrize(
        "value", ["a" * 40, "abababababababababababababababababab", "please-changeme-please-please-please-1"]
    )
    def test_that_are_examples_are_refused_outside_local(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("SECRET_KEY", value)
        assert problems() == ["SECRET_KEY is an example value; make one with: openssl rand -hex 32"]
        monkeypatch.setenv("ENVIRONMENT", "local")
        assert core().SECRET_KEY.get_secret_value() == value

    def test_that_are_short_are_refused_everywhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "local")
        monkeypatch.setenv("SECRET_KEY", STRONG[:31])
        assert problems() == ["SECRET_KEY needs at least 32 characters; make one with: openssl rand -hex 32"]

    @pytest.mark.parametrize("value", ["changeme", "Secret", "xxxxxxxx"])
    def test_of_modules_may_not_be_examples_either(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("SHOP_KEY", value)
        assert problems() == ["SHOP_KEY is an example value"]

    def test_are_not_shown_when_the_settings_are_printed(self) -> None:
        assert STRONG not in repr(core())
        assert "hunter22" not in repr(core())


class TestRequiredOutsideLocal:
    def test_are_optional_in_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "local")
        monkeypatch.delenv("SHOP_KEY")
        monkeypatch.delenv("DATABASE_URL")
        loaded = load_settings((Settings, ShopSettings))
        assert set(loaded) == {Settings, ShopSettings}


class TestJson:
    def test_lists_and_mappings_are_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHOP_COUNTRIES", '["ch", "at"]')
        monkeypatch.setenv("SHOP_PRICES", '{"cup": 12}')
        settings = load_settings([ShopSettings])[ShopSettings]
        assert isinstance(settings, ShopSettings)
        assert (settings.SHOP_COUNTRIES, settings.SHOP_PRICES) == (("ch", "at"), {"cup": 12})

    def test_an_invalid_value_shows_an_example(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHOP_COUNTRIES", "ch,at")
        assert problems() == ['SHOP_COUNTRIES is not JSON; a list looks like ["one", "two"]']


class TestOrigins:
    @pytest.mark.parametrize("origin", ["https://app.example.com", "http://localhost:3000", "capacitor://localhost"])
    def test_are_scheme_and_host(self, monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
        monkeypatch.setenv("BACKEND_CORS_ORIGINS", f'["{origin}"]')
        origins = core().BACKEND_CORS_ORIGINS
        assert origins == (origin,)

    @pytest.mark.parametrize("origin", ["app.example.com", "https://app.example.com/login", "https://", ""])
    def test_that_are_invalid_are_refused(self, monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
        monkeypatch.setenv("BACKEND_CORS_ORIGINS", f'["{origin}"]')
        assert problems()[0].startswith("BACKEND_CORS_ORIGINS must list origins")


class TestPublicUrl:
    def test_is_required_outside_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PUBLIC_URL")
        assert problems() == ["PUBLIC_URL is required outside local"]

        monkeypatch.setenv("ENVIRONMENT", "local")
        assert core().public_api_url == "http://127.0.0.1:8000/api/v1"

    def test_is_a_scheme_and_a_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PUBLIC_URL", "https://API.example.com/")
        assert core().PUBLIC_URL == "https://api.example.com"

    @pytest.mark.parametrize("value", ["api.example.com", "https://api.example.com/v1", "https://me:word@example.com"])
    def test_that_cannot_be_used_is_refused(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        monkeypatch.setenv("PUBLIC_URL", value)
        assert problems()[0].startswith("PUBLIC_URL must be a URL")


class TestDebug:
    def test_is_refused_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DEBUG", "true")
        assert problems() == ["DEBUG must be false in production: it logs user data"]
        monkeypatch.setenv("ENVIRONMENT", "staging")
        assert core().DEBUG


class TestDatabaseUrl:
    @pytest.mark.parametrize(
        ("given", "taken"),
        [
            ("postgres://u:p@h:5433/d", "postgresql+asyncpg://u:p@h:5433/d"),
            ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
            ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
            ("postgresql://u:p@h/d?sslmode=require", "postgresql+asyncpg://u:p@h/d?ssl=require"),
            (
                "postgresql://u:p@h/d?sslmode=require&channel_binding=require",
                "postgresql+asyncpg://u:p@h/d?ssl=require",
            ),
            ("postgresql://u:p%40%2F@h/d?pgbouncer=true", "postgresql+asyncpg://u:p%40%2F@h/d?pgbouncer=true"),
            ("sqlite:///./local.db", "sqlite+aiosqlite:///./local.db"),
            ("sqlite+aiosqlite:////var/local.db", "sqlite+aiosqlite:////var/local.db"),
        ],
    )
    def test_accepts_the_forms_of_platforms(self, monkeypatch: pytest.MonkeyPatch, given: str, taken: str) -> None:
        monkeypatch.setenv("DATABASE_URL", given)
        url = core().DATABASE_URL
        assert url == taken

    @pytest.mark.parametrize(
        ("given", "complaint"),
        [
            ("mysql://u:p@h/d", "must look like"),
            ("localhost:5432", "is not a URL"),
            ("postgresql://u:p@h:port/d", "is not a URL"),
            ("postgresql://u:p@h", "names no database"),
            ("postgresql://u:p@h/d?schema=other", "does not know: schema; leave them out"),
            ("sqlite://", "must name a file"),
            ("sqlite:///:memory:", "must name a file"),
            ("postgresql://u:changeme@h/d", "has an example password"),
        ],
    )
    def test_that_cannot_be_used_is_explained(
        self, monkeypatch: pytest.MonkeyPatch, given: str, complaint: str
    ) -> None:
        monkeypatch.setenv("DATABASE_URL", given)
        (problem,) = problems()
        assert problem.startswith("DATABASE_URL ")
        assert complaint in problem

    def test_replacing_it_keeps_the_other_settings(self) -> None:
        other = core().with_database("sqlite:///other.db")
        assert other.DATABASE_URL == "sqlite+aiosqlite:///other.db"
        assert other.PROJECT_NAME == core().PROJECT_NAME
