"""Fixtures of the metrics."""

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directory that the processes share."""
    return tmp_path / "metrics"
