"""The problems for which an application does not start."""

import pytest

from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.manifest import Module


def startup_problems(monkeypatch: pytest.MonkeyPatch, *modules: Module, **settings: str) -> tuple[str, ...]:
    """Return the problems that these settings cause for an application of these modules."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        create_runtime(modules)
    return caught.value.problems
