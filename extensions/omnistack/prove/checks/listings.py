"""Lists agree with the project: the README's pieces, the settings' page, the table of models, the pages."""

import re

from omnistack.prove.checks.links import LINK
from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions, Space
from omnistack.prove.tree import File, Tree
from omnistack.template.catalog import Piece, Setting

PAGE = re.compile(r"docs/[^/]+\.md")
"""The pages that the indexes list; those of a folder are linked from one of these."""
README, INDEX, SETTINGS = "README.md", "docs/README.md", "docs/settings.md"
MODELS, MODELS_OF = "app/ai/models.toml", "extensions/models"
HEADING = re.compile(r"(#+) \S")
RULER = re.compile(r"\|(?: *:?-+:? *\|)+")
GROUP = re.compile(r"# --- .* ---$")
ROW = re.compile(r"\| `([A-Z][A-Z0-9_]+)` \| (.*?) ?\| (.*?) ?\| ")


def check_listings(code: Code, report: Report) -> None:
    """Check the lists in the documents."""
    tree = code.tree
    for piece in tree.model.pieces.values():
        if README in tree.files:
            _check_piece(tree, tree.files[README], piece, report)
    for path in tree.files:
        if PAGE.fullmatch(path) and path != INDEX:
            _check_linked(tree, path, report)
    if SETTINGS in tree.files:
        _check_settings(tree, tree.files[SETTINGS], report)
    if MODELS in tree.files:
        _check_models(tree, tree.files[MODELS], report)
    for file in tree.files.values():
        if file.path.endswith(".md"):
            _check_sections(tree.space, file, HEADING, report)
        elif file.path == ".env.example":
            _check_sections(tree.space, file, GROUP, report)


def _check_piece(tree: Tree, file: File, piece: Piece, report: Report) -> None:
    chosen, told = tree.model.chosen[piece.name], tree.space.nothing
    pages = sorted(path for path in piece.paths if PAGE.fullmatch(path))
    for line in file.matching(rf"^- \*\*{re.escape(piece.label)}\*\*"):
        told = told | line.cond
        if sorted(LINK.findall(line.text)) != pages:
            report(
                file.source,
                line.number,
                f"the entry of {piece.label} must link to all of its pages, and to no others",
                line.cond,
            )
    report(file.source, 1, f"does not list the chosen piece {piece.label}", chosen & ~told)
    report(file.source, 1, f"lists {piece.label}, which is not chosen", told & ~chosen)


def _check_linked(tree: Tree, path: str, report: Report) -> None:
    index = tree.files.get(INDEX)
    name = path.removeprefix("docs/")
    linked = [line.cond for line in index.matching(rf"\]\({re.escape(name)}\)")] if index else []
    file = tree.files[path]
    report(file.source, 1, f"{INDEX} does not link to it", file.cond & ~tree.space.union(linked))


def _check_settings(tree: Tree, file: File, report: Report) -> None:
    settings = {each.name: (each, piece) for piece in tree.model.pieces.values() for each in piece.settings}
    told = Conditions[str](tree.space)
    for line in file.lines:
        match = ROW.match(line.text)
        if match is None:
            continue
        told.add(match[1], line.cond)
        if match[1] not in settings or line.free:
            continue
        setting, piece = settings[match[1]]
        if not _says(setting, match[2]):
            report(file.source, line.number, f"shows a default of {match[1]} that differs from the catalog", line.cond)
        if match[3] != _requirement(setting, piece):
            message = f"shows another requirement of {match[1]} than the catalog"
            report(file.source, line.number, message, line.cond)
    for name, (_, piece) in settings.items():
        missing = tree.model.chosen[piece.name] & ~told[name]
        report(file.source, 1, f"does not list the setting {name}", missing)
    for name, cond in told.items():
        chosen = [tree.model.chosen[piece.name] for each, piece in settings.values() if each.name == name]
        report(file.source, 1, f"lists the setting {name}, which does not exist", cond & ~tree.space.union(chosen))


def _check_models(tree: Tree, file: File, report: Report) -> None:
    """Check that the table of models has rows of each chosen provider."""
    for name, chosen in tree.model.chosen.items():
        if f"{MODELS_OF}/{name}.jinja" in tree.source.files:
            told = tree.space.union(line.cond for line in file.matching(rf'^provider = "{re.escape(name)}"$'))
            report(file.source, 1, f"has no model of the chosen provider {name}", chosen & ~told)


def _requirement(setting: Setting, piece: Piece) -> str:
    if not setting.required:
        return ""
    return f"with `{piece.name}`" if piece.kind == "provider" else "yes"


def _says(setting: Setting, shown: str) -> bool:
    if setting.generate:
        return "secret" in shown
    if setting.answer:
        return bool(shown)
    return shown == (f"`{setting.default}`" if setting.default else "")


def _check_sections(space: Space, file: File, heading: re.Pattern[str], report: Report) -> None:
    """Check that every heading has content or a smaller heading below it, and every table a row."""
    waiting: list[tuple[int, Cond, int]] = []
    bare = space.nothing
    fenced = False
    for line in file.lines:
        fenced = fenced ^ line.text.startswith("```")
        match = None if fenced else heading.match(line.text)
        depth = len(match[1]) if match and heading is HEADING else 1
        for level, cond, number in waiting if match else ():
            if level >= depth:
                report(file.source, number, "a heading with nothing below it", cond & line.cond)
        if not line.text.startswith("|"):
            report(file.source, line.number, "a table without a row ends here", bare & line.cond)
        bare = line.cond if RULER.fullmatch(line.text) else bare & ~line.cond
        if line.text.strip():
            waiting = [(level, cond & ~line.cond, number) for level, cond, number in waiting]
        if match:
            waiting.append((depth, line.cond, line.number))
    for _, cond, number in waiting:
        report(file.source, number, "a heading with nothing below it", cond)
