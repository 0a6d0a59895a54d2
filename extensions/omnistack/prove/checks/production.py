"""One server in production: its compose file runs what the chosen pieces need, and `Makefile` includes their files."""

import re

from omnistack.prove.checks.settings import EXAMPLE
from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.tree import File
from omnistack.template.catalog import CATALOG_DIR

COMPOSE = "compose.production.yaml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::\?|\})")


def check_production(code: Code, report: Report) -> None:
    """Check both files."""
    compose = code.tree.files.get(COMPOSE)
    if compose is not None:
        _check_variables(code, compose, report)
    _check_files(code, report)


def _check_variables(code: Code, file: File, report: Report) -> None:
    """Check that `.env.example` contains the variables without a default."""
    example = code.tree.files.get(EXAMPLE)
    for line in file.lines:
        for name in VARIABLE.findall(line.text):
            there = [each.cond for each in example.matching(rf"^#?\s*{name}=")] if example else []
            missing = line.cond & ~code.space.union(there)
            report(file.source, line.number, f"reads {name} from .env, but {EXAMPLE} does not contain it", missing)


def _check_files(code: Code, report: Report) -> None:
    """Check that the files exist that compose or `Makefile` includes for a piece."""
    for piece in code.tree.model.pieces.values():
        chosen = code.tree.model.chosen[piece.name]
        for path in (*piece.compose_files, *piece.makefiles):
            exists = code.tree.files[path].cond if path in code.tree.files else code.space.nothing
            report(f"{CATALOG_DIR}/{piece.name}.yml", 1, f"includes {path}, which does not exist", chosen & ~exists)
