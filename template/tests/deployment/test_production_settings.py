"""production.env.example names what the application requires in production, and nothing that does not exist."""

import pytest

from app.core.lifecycle import settings_classes
from app.modules import MODULES
from tests.cli.test_commands import app
from tests.cli.test_doctor import findings
from tests.deployment.deployment import example

REQUIRED = "is required"


def test_every_name_is_a_setting() -> None:
    fields = {name for cls in settings_classes(MODULES) for name in cls.model_fields}
    assert example().keys() <= fields


def test_no_required_setting_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in settings_classes(MODULES):
        for name in cls.model_fields:
            monkeypatch.delenv(name, raising=False)
    found = findings(app("doctor", "--production", "--json"))
    missing = {name for name, (status, message) in found.items() if status == "error" and REQUIRED in message}
    assert missing
    assert missing <= example().keys()
