"""Items of the catalog that wiring files have lines for: volumes, settings, processes, services, releases."""

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, product
from pathlib import PurePosixPath
from typing import Final

from omnistack.prove.code import Code
from omnistack.prove.space import Cond, Conditions
from omnistack.template.catalog import Piece

ANYTHING: Final = "…"
"""Stands for any text within a line, such as the project's name."""
ENVIRONMENTS: Final = ("staging", "production")

type Item = tuple[Mapping[str, str], Cond]
"""The values of its fields, and the condition under which it is chosen."""
type Items = Callable[[Code], Iterator[Item]]


def _pieces(code: Code) -> Iterator[tuple[Piece, Cond]]:
    for piece in code.tree.model.pieces.values():
        yield piece, code.tree.model.chosen[piece.name]


def volumes(code: Code) -> Iterator[Item]:
    """The volumes of the chosen pieces."""
    for piece, chosen in _pieces(code):
        for volume in piece.volumes:
            yield volume.model_dump(), chosen


def stored(code: Code) -> Iterator[Item]:
    """The volumes of production: a provider that only comes along for development stores nothing there."""
    for piece, chosen in _pieces(code):
        for volume in piece.volumes:
            yield volume.model_dump(), chosen & code.tree.model.wanted(piece)


def container_settings(code: Code) -> Iterator[Item]:
    """The settings that containers have another value of."""
    for piece, chosen in _pieces(code):
        for setting in piece.container_settings:
            yield {"name": setting.name, "value": setting.value, "json": json.dumps(setting.value)}, chosen


def processes(code: Code) -> Iterator[Item]:
    """The processes beside the server."""
    for piece, chosen in _pieces(code):
        for process in piece.processes:
            command = process.command
            fields = {"name": process.name, "command": " ".join(command), "json": json.dumps(command)}
            yield {**fields, "help": process.help.lower()}, chosen


def services(code: Code) -> Iterator[Item]:
    """The services that the application needs."""
    for piece, chosen in _pieces(code):
        for service in piece.services:
            yield {"name": service}, chosen


def given(code: Code, *, by_service: bool | None = None, required: bool | None = None) -> Iterator[Item]:
    """The settings that a deployment sets: those of a piece that are required or recommended."""
    for piece, chosen in _pieces(code):
        for setting in piece.settings:
            if not (setting.required or setting.recommended):
                continue
            if required in {None, setting.required} and by_service in {None, setting.service is not None}:
                fields = {"name": setting.name, "label": piece.label, "answer": setting.answer or ""}
                yield fields, chosen


def entered(code: Code) -> Iterator[Item]:
    """Those of them that people enter: no service and no answer of the questions contains their values."""
    yield from (item for item in given(code, by_service=False) if not item[0]["answer"])


def other_settings(kind: Items) -> Items:
    """Return every setting of the catalog that is not of a kind, under no condition: no line may name it."""

    def others(code: Code) -> Iterator[Item]:
        names = {fields["name"] for fields, _ in kind(code)}
        for piece, _ in _pieces(code):
            for setting in piece.settings:
                if setting.name not in names:
                    yield {"name": setting.name, "label": piece.label}, code.space.nothing

    return others


def generated(code: Code) -> Iterator[Item]:
    """The secrets that `omnistack new` generates."""
    for piece, chosen in _pieces(code):
        for setting in piece.settings:
            if setting.generate:
                yield {"name": setting.name, "label": piece.label}, chosen


def sections(code: Code) -> Iterator[Item]:
    """The pieces that have settings of a deployment."""
    for piece, chosen in _pieces(code):
        if any(setting.required or setting.recommended for setting in piece.settings):
            yield {"label": piece.label}, chosen


def secret_sections(code: Code) -> Iterator[Item]:
    """The pieces that have a required secret, and those that have settings but no such secret, with no condition."""
    for piece, chosen in _pieces(code):
        if any(setting.required or setting.recommended for setting in piece.settings):
            has = any(setting.required and setting.generate for setting in piece.settings)
            yield {"label": piece.label}, chosen if has else code.space.nothing


def service_sections(code: Code) -> Iterator[Item]:
    """The same for an address that a platform sets."""
    for piece, chosen in _pieces(code):
        if any(setting.required or setting.recommended for setting in piece.settings):
            has = any(setting.required and setting.service for setting in piece.settings)
            yield {"label": piece.label}, chosen if has else code.space.nothing


def runbook(code: Code) -> Iterator[Item]:
    """The pages of the runbook that pieces bring."""
    for piece, chosen in _pieces(code):
        for path in piece.paths:
            if path.startswith("docs/runbook/"):
                yield {"page": PurePosixPath(path).name}, chosen


def compose_files(code: Code) -> Iterator[Item]:
    """The files that compose includes."""
    for piece, chosen in _pieces(code):
        yield from (({"path": path}, chosen) for path in piece.compose_files)


def makefiles(code: Code) -> Iterator[Item]:
    """The files that `Makefile` includes."""
    for piece, chosen in _pieces(code):
        yield from (({"path": path}, chosen) for path in piece.makefiles)


def tools(code: Code) -> Iterator[Item]:
    """The programs beside the application."""
    for piece, chosen in _pieces(code):
        yield from (({"name": tool.name}, chosen) for tool in piece.tools)


def targets(code: Code) -> Iterator[Item]:
    """The pieces with a release: those that only follow one are no target, under no condition."""
    for piece, chosen in _pieces(code):
        if piece.release is not None:
            fields = {"name": piece.name, "NAME": piece.name.upper(), "job": piece.name.replace("_", "-")}
            yield fields, chosen if piece.release.deploy else code.space.nothing


def release_values(code: Code, field: str) -> Iterator[Item]:
    """The secrets or variables of each target's jobs: its own, and those of pieces that follow a release.

    Args:
        code: the rendered projects.
        field: `secrets` or `variables`.
    """
    pieces = [(piece, chosen, piece.release) for piece, chosen in _pieces(code) if piece.release is not None]
    targets = [each for each in pieces if each[2].deploy]
    for (target, here, _), (piece, there, release) in product(targets, pieces):
        is_used = piece is target or not release.deploy
        for name, environment in product(getattr(release, field), ENVIRONMENTS):
            job = f"{environment}-{target.name.replace('_', '-')}"
            yield {"name": name, "job": job}, here & there if is_used else code.space.nothing


def releases(code: Code) -> Iterator[Item]:
    """The pieces with a release."""
    for piece, chosen in _pieces(code):
        if piece.release is not None:
            yield {"name": piece.name}, chosen


def release_names(code: Code, field: str) -> Iterator[Item]:
    """The secrets or variables of the pieces with a release; `field` says which."""
    for piece, chosen in _pieces(code):
        if piece.release is not None:
            yield from (({"name": name}, chosen) for name in getattr(piece.release, field))


def release_settings(code: Code) -> Iterator[Item]:
    """The settings that the image sets to the name of its release."""
    for piece, chosen in _pieces(code):
        yield from (({"name": name}, chosen) for name in piece.release_settings)


def target_pairs(code: Code) -> Iterator[Item]:
    """Each target with each target."""
    for (one, here), (other, there) in product(list(targets(code)), repeat=2):
        yield {"job": one["job"], "other": other["job"]}, here & there


def pairs(first: Items, second: Items, prefix: str) -> Items:
    """Return every pair of two kinds of item. The fields of the second get a prefix."""

    def both(code: Code) -> Iterator[Item]:
        for (one, here), (other, there) in product(list(first(code)), list(second(code))):
            yield {**one, **{f"{prefix}_{name}": value for name, value in other.items()}}, here & there

    return both


def any_of(kind: Items, *, negated: bool = False) -> Items:
    """Return one item without fields: whether any of a kind is chosen, or none."""

    def one(code: Code) -> Iterator[Item]:
        found = code.space.union(cond for _, cond in kind(code))
        yield {}, code.space.without(found) if negated else found

    return one


def several_of(kind: Items) -> Items:
    """Return one item without fields: whether at least two of a kind are chosen."""

    def one(code: Code) -> Iterator[Item]:
        chosen = Conditions[str](code.space)
        for fields, cond in kind(code):
            chosen.add(fields["name"], cond)
        yield {}, code.space.union(one & other for one, other in combinations(chosen.values(), 2))

    return one


def never(kind: Items) -> Items:
    """Return the items of a kind, under no condition: their lines must not exist."""
    return lambda code: ((fields, code.space.nothing) for fields, _ in kind(code))
