"""Releases: the keys `release` and `release_settings` of a piece agree with each other and with its settings."""

from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.template.catalog import CATALOG_DIR


def check_releases(code: Code, report: Report) -> None:
    """Check the keys of each piece."""
    for piece in code.tree.model.pieces.values():
        source, chosen = f"{CATALOG_DIR}/{piece.name}.yml", code.tree.model.chosen[piece.name]
        if piece.release is not None and bool(piece.release.deploy) != bool(piece.release.rollback):
            report(source, 1, "`release` needs both `deploy` and `rollback`, or neither", chosen)
        for name in piece.release_settings:
            if name not in {setting.name for setting in piece.settings}:
                report(source, 1, f"`release_settings` names {name}, which is not one of its settings", chosen)
