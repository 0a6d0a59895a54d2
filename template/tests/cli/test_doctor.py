import json
import socket
from typing import Annotated

import pytest
from click.testing import Result

from app.cli.doctor import weak_spots
from app.cli.errors import explanation
from app.core.config.settings import ForDevelopment, ModuleSettings, load_settings
from app.core.db.engine import DatabaseUnavailableError
from app.core.lifecycle import create_runtime, settings_classes
from app.core.manifest import Module
from app.core.module import module as core
from app.modules import MODULES
from tests.cli.test_commands import app
from tests.databases import Databases


def findings(result: Result) -> dict[str, tuple[str, str]]:
    """The status and the message of each check."""
    return {item["check"]: (item["status"], item["message"]) for item in json.loads(result.stdout)}


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])


class TestDoctor:
    def test_finds_no_problem_in_a_healthy_project(self) -> None:
        result = app("doctor")
        assert result.exit_code == 0, result.output
        assert result.output.splitlines()[0].split() == ["STATUS", "CHECK", "MESSAGE"]
        assert {line.split()[0] for line in result.output.splitlines()[1:]} == {"ok"}

    def test_runs_the_health_checks_of_all_modules(self) -> None:
        checks = {check.name for module in MODULES for check in module.health_checks}
        assert checks <= findings(app("doctor", "--json")).keys()

    def test_names_every_invalid_setting_and_checks_the_database_anyway(
        self, monkeypatch: pytest.MonkeyPatch, unused_port: int
    ) -> None:
        monkeypatch.delenv("PUBLIC_URL")
        monkeypatch.setenv("SECRET_KEY", "short")
        monkeypatch.setenv("DATABASE_URL", f"postgresql://app:unheard-of@127.0.0.1:{unused_port}/app")
        result = app("doctor", "--production", "--json")
        assert result.exit_code == 1
        found = findings(result)
        assert found["PUBLIC_URL"] == ("error", "is required outside local")
        assert found["SECRET_KEY"][0] == "error"
        assert found["database"][0] == "error"
        assert "unheard-of" not in result.output

    def test_names_a_database_that_does_not_answer(self, monkeypatch: pytest.MonkeyPatch, unused_port: int) -> None:
        monkeypatch.setenv("DATABASE_URL", f"postgresql://app:unheard-of@127.0.0.1:{unused_port}/app")
        result = app("doctor", "--json")
        assert result.exit_code == 1
        assert findings(result)["database"][0] == "error"
        assert "DATABASE_URL" in findings(result)["database"][1]
        assert "unheard-of" not in result.output

    async def test_names_pending_revisions(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
        async with databases.empty() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            result = app("doctor", "--json")
        assert result.exit_code == 1
        status, message = findings(result)["database"]
        assert status == "error"
        assert message.startswith("Pending revisions: ")
        assert message.endswith("Run `app db upgrade`.")


class TestWeakSpots:
    def test_are_named_outside_local(self, monkeypatch: pytest.MonkeyPatch, databases: Databases) -> None:
        if databases.shared.startswith("postgresql"):
            monkeypatch.setenv("DATABASE_URL", "postgresql://app:f3b1c0d94a7e@db.example.com/app")
        for name, value in WEAK.items():
            monkeypatch.setenv(name, value)
        names = warned(core)
        assert names >= {
            "DEBUG",
            "BACKEND_CORS_ORIGINS",
            "PUBLIC_URL",
            "TRUSTED_PROXY_COUNT",
            "rate limits",
            "PROVIDER",
        }
        assert "OTHER" not in names
        assert ("DATABASE_URL" in names) == databases.shared.startswith("sqlite")

    def test_are_normal_in_local(self) -> None:
        assert warned(core) == set()


class ProviderSettings(ModuleSettings):
    PROVIDER: Annotated[str, ForDevelopment("console")] = "console"
    OTHER: Annotated[str, ForDevelopment("console")] = "real"


WEAK = {
    "ENVIRONMENT": "staging",
    "DEBUG": "true",
    "BACKEND_CORS_ORIGINS": '["*"]',
    "PUBLIC_URL": "http://api.example.com",
}


def warned(*modules: Module) -> set[str]:
    """The checks that warn about an application of these modules and one that selects a provider."""
    selecting = Module(name="selecting", settings=(ProviderSettings,))
    loaded = load_settings(settings_classes([*modules, selecting]))
    runtime = create_runtime([*modules, selecting], loaded=loaded)
    found = list(weak_spots(runtime, loaded))
    assert {finding.status for finding in found} <= {"warning"}
    return {finding.check for finding in found}


class TestExplanation:
    def test_names_the_setting_for_a_pooler_that_refuses_parameters(self) -> None:
        error = DatabaseUnavailableError()
        error.__cause__ = Exception("unsupported startup parameter: statement_timeout")
        assert "DB_TRANSACTION_POOLER=true" in str(explanation(error))

    def test_names_a_timeout_that_has_no_text(self) -> None:
        assert "does not answer (TimeoutError)" in str(explanation(TimeoutError()))
