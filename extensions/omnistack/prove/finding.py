"""The findings of checks."""

from collections.abc import Callable
from dataclasses import dataclass

from omnistack.prove.space import Cond


@dataclass(frozen=True)
class Finding:
    """A fault: where, what is wrong, and under which answer sets."""

    check: str
    file: str
    line: int
    message: str
    cond: Cond
    """The answer sets that show it; never empty."""


type Report = Callable[[str, int, str, Cond], None]
"""`report(file, line, message, cond)`: a fault under a condition; no fault where that holds nowhere."""
