"""Wiring: files have the lines of what is chosen, and no others."""

from omnistack.prove.checks.wiring_lines import check_lines
from omnistack.prove.checks.wiring_table import TABLE
from omnistack.prove.code import Code
from omnistack.prove.finding import Report


def check_wiring(code: Code, report: Report) -> None:
    """Check every file of the table."""
    check_lines(code, TABLE, report)
