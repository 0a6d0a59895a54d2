"""What the core's tests may ask for besides."""

import pytest

from app.core.db.database import Database
from tests.core.applications import Build, builder


@pytest.fixture
def build(database: Database, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Makes small applications: `app = build(module(("GET", "/thing", read)), ENVIRONMENT="production")`."""
    return builder(database, monkeypatch)
