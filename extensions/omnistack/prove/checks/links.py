"""Links and mentions: every target of a rendered text is rendered too."""

import re
from pathlib import PurePosixPath

from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond
from omnistack.prove.tree import File, Tree

LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w/.-])(?:[\w.-]+/)+[\w.-]+\.(?:md|py|ya?ml|toml|mako|sh|json)(?![\w/])")
HEADING = re.compile(r"#{1,6}\s+(.*)")
ELSEWHERE = ("http://", "https://", "mailto:")


def check_links(code: Code, report: Report) -> None:
    """Check Markdown links with their anchors, and every mention of a file of the project."""
    tree = code.tree
    for file in tree.files.values():
        if file.path.endswith(".md"):
            _check_markdown(tree, file, report)
        for line in file.matching(MENTION.pattern):
            for mention in MENTION.findall(line.text):
                there = _mentioned(tree, file, mention)
                if there is not None:
                    message = f"mentions {mention}, which does not exist"
                    report(file.source, line.number, message, line.cond & ~there)


def _check_markdown(tree: Tree, file: File, report: Report) -> None:
    fenced = False
    for line in file.lines:
        if line.text.lstrip().startswith("```"):
            fenced = not fenced
        for target in LINK.findall(line.text) if not fenced else ():
            if not target.startswith(ELSEWHERE):
                missing = line.cond & ~_target(tree, file, target)
                report(file.source, line.number, f"links to {target}, which does not exist", missing)


def _target(tree: Tree, file: File, target: str) -> Cond:
    path, _, anchor = target.partition("#")
    base = PurePosixPath(file.path).parent
    full = _normal(base / path) if path else file.path
    found = tree.files.get(full)
    if found is not None and anchor:
        headings = (line.cond for line in found.lines if _slug(line.text) == anchor)
        return tree.space.union(headings)
    return _exists(tree, full)


def _normal(path: PurePosixPath) -> str:
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts:
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _slug(text: str) -> str | None:
    match = HEADING.match(text)
    if match is None:
        return None
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", match[1].strip().lower()))


def _exists(tree: Tree, path: str) -> Cond:
    if path in tree.files:
        return tree.files[path].cond
    below = path.rstrip("/") + "/" if path else ""
    return tree.space.union(file.cond for name, file in tree.files.items() if name.startswith(below))


def _mentioned(tree: Tree, file: File, mention: str) -> Cond | None:
    """Return the condition of a mentioned file; `None` for an example that is not a file of the template."""
    if mention in tree.files:
        return tree.files[mention].cond
    if mention.startswith("docs/") and mention.endswith(".md") and file.path.split("/")[0] != "docs":
        return tree.space.nothing
    return None
