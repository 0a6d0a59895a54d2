import json
from pathlib import Path

import pytest

from app.core.config.settings import ModuleSettings
from app.core.lifecycle import settings_classes
from app.modules import MODULES
from tests.cli.test_commands import app

SECRET = "f3b1c0d94a7e48d2a6b5917e20cc83fd55"


def row(output: str, name: str) -> list[str]:
    return next(line.split() for line in output.splitlines() if line.startswith(f"{name} "))


class TestSettings:
    def test_lists_every_setting_of_every_module(self) -> None:
        listed = [item["name"] for item in json.loads(app("settings", "--json").output)]
        assert sorted(listed) == sorted({name for cls in settings_classes(MODULES) for name in cls.model_fields})

    def test_names_the_source(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        env_file = tmp_path / ".env"
        env_file.write_text("DB_POOL_RECYCLE=7\nDB_POOL_SIZE=\n", encoding="utf-8")
        for cls in settings_classes(MODULES):
            monkeypatch.setitem(cls.model_config, "env_file", env_file)
        monkeypatch.setenv("LOG_LEVEL", "ERROR")
        output = app("settings").output
        assert row(output, "LOG_LEVEL") == ["LOG_LEVEL", "environment", "set"]
        assert row(output, "DB_POOL_RECYCLE") == ["DB_POOL_RECYCLE", ".env", "set"]
        assert row(output, "DB_POOL_SIZE") == ["DB_POOL_SIZE", "default", "default"]
        assert row(output, "BACKEND_CORS_ORIGINS") == ["BACKEND_CORS_ORIGINS", "empty"]

    def test_shows_no_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in {name for cls in settings_classes(MODULES) for name in cls.model_fields} - {"ENVIRONMENT"}:
            monkeypatch.setenv(name, SECRET)
        for arguments in ((), ("--json",)):
            result = app("settings", *arguments)
            assert result.exit_code == 0
            assert SECRET not in result.output

    def test_names_every_problem(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PROJECT_NAME")
        monkeypatch.setenv("LOG_LEVEL", "LOUD")
        output = app("settings").output
        assert row(output, "PROJECT_NAME") == ["PROJECT_NAME", "missing", "yes"]
        assert row(output, "LOG_LEVEL") == ["LOG_LEVEL", "environment", "invalid"]
        assert "  PROJECT_NAME is not set" in output

    def test_applies_the_rules_of_production_with_the_option(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PUBLIC_URL")
        assert row(app("settings").output, "PUBLIC_URL")[1] == "empty"
        assert row(app("settings", "--production").output, "PUBLIC_URL") == ["PUBLIC_URL", "missing", "yes"]


def test_the_required_settings_are_those_that_production_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The column is derived from the fields' markers: a validator that requires a value needs the marker, too."""
    required = {item["name"] for item in json.loads(app("settings", "--json").output) if item["required"] == "yes"}
    for name in {name for cls in settings_classes(MODULES) for name in cls.model_fields}:
        monkeypatch.delenv(name, raising=False)
    refused = {
        item["name"]
        for item in json.loads(app("settings", "--production", "--json").output)
        if item["problem"].endswith(("is not set", "is required outside local"))
    }
    assert refused == required
    assert ModuleSettings.model_fields.keys() == {"ENVIRONMENT"}
