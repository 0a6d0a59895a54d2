"""One server in production: its compose file runs what the chosen pieces need, and `Makefile` includes their files."""

import re
from collections.abc import Callable, Iterator

from omnistack.prove.checks.services import MAKEFILE
from omnistack.prove.checks.settings import EXAMPLE
from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Conditions
from omnistack.prove.tree import File
from omnistack.template.catalog import CATALOG_DIR, Piece

COMPOSE = "compose.production.yaml"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(?::\?|\})")


def check_production(code: Code, report: Report) -> None:
    """Check both files."""
    compose = code.tree.files.get(COMPOSE)
    if compose is not None:
        _check_lines(code, compose, _compose_lines, report)
        _check_variables(code, compose, report)
    makefile = code.tree.files.get(MAKEFILE)
    if makefile is not None:
        _check_lines(code, makefile, _makefile_lines, report)
    _check_makefiles_exist(code, report)


def _check_lines(code: Code, file: File, lines: Callable[[Piece], Iterator[str]], report: Report) -> None:
    """Check that the file has each line of a chosen piece, and none of another one.

    Args:
        lines: returns the lines of a piece, as regular expressions.
    """
    wanted = Conditions[str](code.space)
    for piece in code.tree.model.pieces.values():
        for line in lines(piece):
            wanted.add(line, code.tree.model.chosen[piece.name])
    for line, cond in wanted.items():
        there = code.space.union(each.cond for each in file.matching(rf"^{line}$"))
        report(file.source, 1, f"lacks a line of a chosen piece: {line}", file.cond & cond & ~there)
        report(file.source, 1, f"has a line of a piece that is not chosen: {line}", there & ~cond)


def _compose_lines(piece: Piece) -> Iterator[str]:
    for process in piece.processes:
        yield rf"  {process.name}-blue: &{process.name}"
        yield f"  {process.name}-green:"
    for service in piece.services:
        yield f"  {service}:"
    for volume in piece.volumes:
        yield f"    {volume.setting}: {re.escape(volume.path)}"
        yield f"    - {volume.name}:{re.escape(volume.path)}"
        yield f"  {volume.name}:"
    for setting in piece.container_settings:
        yield f'    {setting.name}: "{re.escape(setting.value)}"'
    for path in piece.compose_files:
        yield f"  - path: {re.escape(path)}"


def _check_variables(code: Code, file: File, report: Report) -> None:
    """Check that `.env.example` contains the variables without a default."""
    example = code.tree.files.get(EXAMPLE)
    for line in file.lines:
        for name in VARIABLE.findall(line.text):
            there = [each.cond for each in example.matching(rf"^#?\s*{name}=")] if example else []
            missing = line.cond & ~code.space.union(there)
            report(file.source, line.number, f"reads {name} from .env, but {EXAMPLE} does not contain it", missing)


def _makefile_lines(piece: Piece) -> Iterator[str]:
    for path in piece.makefiles:
        yield f"include {re.escape(path)}"


def _check_makefiles_exist(code: Code, report: Report) -> None:
    """Check that the files exist that the chosen pieces add to `Makefile`."""
    for piece in code.tree.model.pieces.values():
        for path in piece.makefiles:
            exists = code.tree.files[path].cond if path in code.tree.files else code.space.nothing
            missing = code.tree.model.chosen[piece.name] & ~exists
            report(f"{CATALOG_DIR}/{piece.name}.yml", 1, f"includes {path}, which does not exist", missing)
