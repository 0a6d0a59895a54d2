"""Settings: each one that is read is declared, each declared one is read, and `.env.example` documents them."""

import re
from collections.abc import Iterator

from omnistack.prove.code import Code, Module, in_module
from omnistack.prove.facts import Class, Lines
from omnistack.prove.finding import Report
from omnistack.prove.space import Conditions
from omnistack.template.catalog import CATALOG_DIR

EXAMPLE = ".env.example"
BASE = "ModuleSettings"
SUBSTITUTED = re.compile(r"\$\{([A-Z][A-Z0-9_]*)")
VARIABLE = re.compile(r"#?\s*([A-Z][A-Z0-9_]+)=")

type Places = dict[str, list[tuple[Module, Lines]]]


def check_settings(code: Code, report: Report) -> None:
    """Check the settings of every module."""
    declared = _declared(code)
    documented = _documented(code)
    substituted = _substituted(code)
    nothing = code.space.nothing
    known = {name: code.space.union(module.at(lines) for module, lines in places) for name, places in declared.items()}
    read = Conditions[str](code.space)
    for module, name, lines, surely in _reads(code):
        here = module.at(lines)
        if module.name.startswith("app."):
            read.add(name, here)
        if name in declared or (surely and module.name.startswith("app.")):
            message = f"reads the setting {name}, which no settings class declares"
            report(module.file.source, module.file.where(lines[-1]), message, here & ~known.get(name, nothing))
    for name, places in declared.items():
        for module, lines in places:
            here, source, line = module.at(lines), module.file.source, module.file.where(lines[-1])
            report(source, line, f"the setting {name} is not in {EXAMPLE}", here & ~documented[name])
            report(source, line, f"the setting {name} is declared, but nothing reads it", here & ~read[name])
            if in_module(module):
                others = code.space.union(
                    other.at(theirs) for other, theirs in places if other is not module and in_module(other)
                )
                report(source, line, f"the setting {name} is also declared by another class", here & others)
    for piece in code.tree.model.pieces.values():
        chosen = code.tree.model.chosen[piece.name]
        for setting in piece.settings:
            file = f"{CATALOG_DIR}/{piece.name}.yml"
            line = _line(code, file, setting.name)
            there = known.get(setting.name, nothing) | substituted[setting.name]
            report(file, line, f"{setting.name} is declared by no settings class", chosen & ~there)
            undocumented = chosen & ~documented[setting.name]
            report(file, line, f"{setting.name} is not in {EXAMPLE}", undocumented)
    for name, cond in documented.items():
        source = code.tree.files[EXAMPLE].source
        there = known.get(name, nothing) | substituted[name]
        report(source, 1, f"{name} is documented, but no settings class declares it", cond & ~there)


def _substituted(code: Code) -> Conditions[str]:
    """Return the condition under which a file takes a variable out of the environment, as `${NAME}`."""
    found = Conditions[str](code.space)
    for file in code.tree.files.values():
        for line in file.matching(SUBSTITUTED.pattern):
            for name in SUBSTITUTED.findall(line.text):
                found.add(name, line.cond)
    return found


def _line(code: Code, file: str, word: str) -> int:
    lines = code.tree.model.source.text(file).splitlines()
    return next((number for number, line in enumerate(lines, 1) if re.search(rf"\b{word}\b", line)), 1)


def settings_classes(code: Code) -> Iterator[tuple[Module, Class]]:
    """Return the base of all settings classes and everything that descends from it."""
    known: set[tuple[str, str]] = set()
    grown = True
    while grown:
        grown = False
        for module in code:
            for each in module.facts.classes:
                key = (module.name, each.name)
                descends = each.name == BASE or any(code.resolve(module, base) in known for base in each.bases)
                if descends and module.name.startswith("app.") and key not in known:
                    known.add(key)
                    grown = True
    for module in code:
        for each in module.facts.classes:
            if (module.name, each.name) in known:
                yield module, each


def _declared(code: Code) -> Places:
    found: Places = {}
    for module, each in settings_classes(code):
        for name, lines in each.fields:
            if name.isupper():
                found.setdefault(name, []).append((module, lines))
    return found


def _documented(code: Code) -> Conditions[str]:
    found = Conditions[str](code.space)
    file = code.tree.files.get(EXAMPLE)
    for line in file.lines if file else ():
        match = VARIABLE.match(line.text)
        if match:
            found.add(match[1], line.cond)
    return found


def _reads(code: Code) -> Iterator[tuple[Module, str, Lines, bool]]:
    """Return each read: where, which setting, and whether it can be nothing else (an upper-case attribute may be)."""
    for module in code:
        for reference in module.facts.references:
            name = reference.attribute
            if name is not None and name.isupper():
                surely = reference.name.rpartition(".")[2].endswith("settings")
                yield module, name, reference.lines, surely
