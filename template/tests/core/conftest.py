"""Fixtures of the core's tests."""

import pytest

from app.core.db.database import Database
from tests.core.applications import Build, builder


@pytest.fixture
def build(database: Database, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Return a function that creates small applications.

    Use it as `app = build(module(("GET", "/thing", read)), ENVIRONMENT="production")`.
    """
    return builder(database, monkeypatch)
