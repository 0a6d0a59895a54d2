"""The contract of the settings of stores in other systems. A provider's tests inherit from the class."""

import asyncio
from typing import ClassVar

import pytest
from click.testing import CliRunner

from app.cli.main import cli
from app.core.lifecycle import create_runtime
from app.core.module import module as core
from app.storage.module import module
from app.storage.settings import StorageSettings
from tests.core.config.startup_problems import startup_problems


def start(monkeypatch: pytest.MonkeyPatch, **settings: str) -> str:
    """Return the selected provider of an application with these additional settings."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return create_runtime([core, module]).resource(StorageSettings).STORAGE_PROVIDER


def problems(monkeypatch: pytest.MonkeyPatch, **settings: str) -> tuple[str, ...]:
    """Return the problems of these settings."""
    return startup_problems(monkeypatch, core, module, **settings)


@pytest.mark.usefixtures("environment")
class RemoteSettingsContract:
    """Missing settings of the selected provider prevent the start."""

    provider: ClassVar[str]
    needed: ClassVar[dict[str, str]]
    """The required settings, with examples."""
    malformed: ClassVar[tuple[tuple[str, str], ...]]
    """Settings that are refused whichever provider is selected."""

    def test_missing_settings_prevent_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert problems(monkeypatch, STORAGE_PROVIDER=self.provider) == (
            f"STORAGE_PROVIDER is {self.provider}, which needs {', '.join(self.needed)} to be set",
        )

    def test_the_default_outside_local_is_this_provider(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(ValueError, match=f"hence {self.provider}, which needs {', '.join(self.needed)} to be set"):
            StorageSettings()

        for name, value in self.needed.items():
            monkeypatch.setenv(name, value)
        assert self.provider == StorageSettings().STORAGE_PROVIDER

    async def test_copying_requires_the_settings_of_both_stores(self) -> None:
        arguments = ["files", "copy", "--from", "local", "--to", self.provider]
        result = await asyncio.to_thread(CliRunner().invoke, cli, arguments)

        assert result.exit_code == 2
        assert f"{self.provider} requires {', '.join(self.needed)}. Set them first." in result.output

    def test_the_local_store_needs_none_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert start(monkeypatch, STORAGE_PROVIDER="local") == "local"

    def test_malformed_settings_prevent_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in self.malformed:
            with monkeypatch.context() as patch:
                assert [problem.partition(" ")[0] for problem in problems(patch, **{name: value})] == [name], value
