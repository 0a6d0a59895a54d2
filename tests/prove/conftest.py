"""The template as it lies, read and proved once."""

from pathlib import Path

import pytest
from omnistack.prove.proof import Proof, prove
from omnistack.prove.source import Source, read_source

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def source() -> Source:
    return read_source(ROOT)


@pytest.fixture(scope="session")
def proof(source: Source) -> Proof:
    return prove(source)
