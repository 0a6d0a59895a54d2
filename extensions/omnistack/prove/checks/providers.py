"""Providers: a provider that the code of a port names, such as its default, is part of the project."""

from omnistack.prove.code import Code
from omnistack.prove.finding import Report


def check_providers(code: Code, report: Report) -> None:
    """Check the constants of each module that are the name of one of its providers."""
    pieces = code.tree.model.pieces
    for module in code:
        package = module.name.removeprefix("app.").split(".")[0] if module.name.startswith("app.") else ""
        for value, lines in module.facts.values.values():
            piece = pieces.get(value) if isinstance(value, str) else None
            if piece is not None and piece.port and piece.port == package:
                missing = module.at(lines) & ~code.tree.model.chosen[piece.name]
                line = module.file.where(lines[-1])
                report(
                    module.file.source, line, f"names the provider {value}, which not every such project has", missing
                )
