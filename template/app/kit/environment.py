"""Environment variables."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def in_environment(name: str, value: str) -> Iterator[None]:
    """Set an environment variable until the end of the block, then restore its previous value."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = before
