"""Releases: CI releases to the chosen platforms, and to no others, with the secrets and variables that they need."""

import re
from collections.abc import Iterator

from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond
from omnistack.prove.tree import File
from omnistack.template.catalog import CATALOG_DIR, Piece, Release

COMMANDS = "release.toml"
DOCKERFILE = "Dockerfile"
WORKFLOW = ".github/workflows/deploy.yml"
GITLAB = ".gitlab-ci.yml"
ENVIRONMENTS = ("staging", "production")


def check_releases(code: Code, report: Report) -> None:
    """Check the files of CI against the `release` and the `release_settings` of the pieces."""
    pieces = code.tree.model.pieces.values()
    platforms = [piece.name for piece in pieces if piece.release is not None and piece.release.deploy]
    released = code.space.union(code.tree.model.chosen[name] for name in platforms)
    for piece in pieces:
        _check_key(code, piece, report)
        chosen = code.tree.model.chosen[piece.name]
        for path, pattern, wanted in _lines(piece, chosen, released):
            file = code.tree.files.get(path)
            if file is not None:
                _check_line(code, file, pattern, wanted, report)


def _check_key(code: Code, piece: Piece, report: Report) -> None:
    source, chosen = f"{CATALOG_DIR}/{piece.name}.yml", code.tree.model.chosen[piece.name]
    if piece.release is not None and bool(piece.release.deploy) != bool(piece.release.rollback):
        report(source, 1, "`release` needs both `deploy` and `rollback`, or neither", chosen)
    for name in piece.release_settings:
        if name not in {setting.name for setting in piece.settings}:
            report(source, 1, f"`release_settings` names {name}, which is not one of its settings", chosen)


def _lines(piece: Piece, chosen: Cond, released: Cond) -> Iterator[tuple[str, str, Cond]]:
    """Yield each line that a piece needs: the file, a pattern, and the condition under which the line is there."""
    for name in piece.release_settings:
        yield DOCKERFILE, rf"^ENV {name}=\$RELEASE$", chosen
    if piece.release is None:
        return
    yield COMMANDS, rf"^\[{piece.name}\]$", chosen
    if not piece.release.deploy:
        # Its commands follow the release to a platform.
        yield from _variables(piece.release, chosen & released)
        return
    yield from _variables(piece.release, chosen)
    for environment in ENVIRONMENTS:
        job = rf"{environment}-{piece.name.replace('_', '-')}:"
        yield WORKFLOW, rf"^  {job}$", chosen
        yield GITLAB, rf"^{job}$", chosen


def _variables(release: Release, cond: Cond) -> Iterator[tuple[str, str, Cond]]:
    for name in release.secrets:
        yield WORKFLOW, rf"^      {name}: \$\{{\{{ secrets\.{name} \}}\}}$", cond
    for name in release.variables:
        yield WORKFLOW, rf"^      {name}: \$\{{\{{ vars\.{name} \}}\}}$", cond


def _check_line(code: Code, file: File, pattern: str, wanted: Cond, report: Report) -> None:
    there = code.space.union(line.cond for line in file.matching(pattern))
    shown = re.sub(r"\\(.)", r"\1", pattern).strip("^$ ")
    report(file.source, 1, f"lacks a line of a chosen piece's release: {shown}", file.cond & wanted & ~there)
    report(file.source, 1, f"has a line of a release that no chosen piece needs: {shown}", there & ~wanted)
