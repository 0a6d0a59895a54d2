"""The files of templates, checked when the application starts.

A template NAME is three files: NAME.html, NAME.txt, and NAME.json with the subject and the data of its preview. Jinja
silently drops content that a child template puts outside the blocks of its parent; here that is an error.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, TemplateSyntaxError, nodes

from app.kit.user_error import UserError

KINDS: Final = ("html", "txt")
REQUIRED_BLOCK: Final = "content"


class InvalidTemplateError(UserError):
    """A template is incomplete, or part of its content would be lost."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The subject and the data of a template's preview."""

    subject: str
    data: Mapping[str, object]


@cache
def read_samples(folders: tuple[Path, ...]) -> Mapping[str, Sample]:
    """Check all templates and return the samples by name.

    Raises:
        InvalidTemplateError: naming the file and what is wrong with it.
    """
    files = _files(folders)
    sources = {name: path.read_text(encoding="utf-8") for name, path in files.items() if path.suffix != ".json"}
    trees = {name: _parse(files[name], source) for name, source in sources.items()}
    for name in trees:
        _check_blocks(files[name], name, trees)
    return {path.stem: _sample(path, files) for path in files.values() if path.suffix == ".json"}


def _files(folders: tuple[Path, ...]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.suffix.removeprefix(".") not in {*KINDS, "json"}:
                continue
            if path.name in files:
                raise InvalidTemplateError(f"{path} has the same name as {files[path.name]}. Rename one of them.")
            files[path.name] = path
    return files


def _sample(path: Path, files: Mapping[str, Path]) -> Sample:
    for kind in KINDS:
        if f"{path.stem}.{kind}" not in files:
            raise InvalidTemplateError(f"{path} has no {path.stem}.{kind} beside it. An email has both forms.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidTemplateError(f"{path} is not valid JSON: {error}") from error
    subject, data = (document.get("subject"), document.get("data")) if isinstance(document, dict) else (None, None)
    if not isinstance(subject, str) or not subject.strip() or not subject.isprintable():
        raise InvalidTemplateError(f'{path} needs a "subject": the one-line subject of the preview.')
    if not isinstance(data, dict):
        raise InvalidTemplateError(f'{path} needs "data": an object with the variables of the preview.')
    return Sample(subject=subject, data=data)


def _parse(path: Path, source: str) -> nodes.Template:
    try:
        return Environment(autoescape=True).parse(source)
    except TemplateSyntaxError as error:
        raise InvalidTemplateError(f"{path}, line {error.lineno}: {error.message}") from error


def _parent(tree: nodes.Template) -> str | None:
    found = next(tree.find_all(nodes.Extends), None)
    name = found.template if found is not None else None
    return name.value if isinstance(name, nodes.Const) else None


def _blocks(tree: nodes.Template) -> set[str]:
    return {block.name for block in tree.find_all(nodes.Block)}


def _ancestors(name: str, trees: Mapping[str, nodes.Template]) -> Iterator[str]:
    seen = {name}
    while (parent := _parent(trees[name])) is not None and parent in trees and parent not in seen:
        yield parent
        seen.add(parent)
        name = parent


def _check_blocks(path: Path, name: str, trees: Mapping[str, nodes.Template]) -> None:
    parent = _parent(trees[name])
    if parent is None:
        return
    ancestors = list(_ancestors(name, trees))
    if not ancestors:
        raise InvalidTemplateError(f"{path} extends {parent}, which does not exist.")
    known = set().union(*(_blocks(trees[ancestor]) for ancestor in ancestors))
    own = {block.name for block in _top_level_blocks(trees[name])}
    if unknown := sorted(own - known):
        raise InvalidTemplateError(
            f"{path}: {parent} has no block {unknown[0]!r}, so its content would be missing from the email. "
            f"Available: {', '.join(sorted(known))}."
        )
    if line := _lost_line(trees[name]):
        raise InvalidTemplateError(f"{path}, line {line}: content outside a block would be missing from the email.")
    defined = own.union(*(_blocks(trees[ancestor]) for ancestor in ancestors[:-1]))
    if REQUIRED_BLOCK in known and REQUIRED_BLOCK not in defined:
        raise InvalidTemplateError(f"{path} defines no block {REQUIRED_BLOCK!r}, so the email would be empty.")


def _top_level_blocks(tree: nodes.Template) -> list[nodes.Block]:
    return [node for node in tree.body if isinstance(node, nodes.Block)]


def _lost_line(tree: nodes.Template) -> int | None:
    """Return the line of the first text outside the blocks of a child template."""
    for output in (node for node in tree.body if isinstance(node, nodes.Output)):
        for node in output.nodes:
            text = node.data if isinstance(node, nodes.TemplateData) else "expression"
            if text.strip():
                return node.lineno + text[: len(text) - len(text.lstrip())].count("\n")
    return None
