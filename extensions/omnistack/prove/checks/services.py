"""Services: compose starts those of the chosen pieces, and their processes; the image has their programs."""

import re
from collections.abc import Iterator
from functools import lru_cache

import yaml

from omnistack.prove.checks.settings import EXAMPLE
from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions
from omnistack.prove.tree import File
from omnistack.template.catalog import CATALOG_DIR

COMPOSE = "compose.yaml"
DOCKERFILE = "Dockerfile"
PROGRAMS_DIR = "extensions/programs"

type Names = dict[str, tuple[Cond, int]]


def check_services(code: Code, report: Report) -> None:
    """Check the services of the chosen pieces against the files that start them."""
    compose = code.tree.files.get(COMPOSE)
    services = _check_compose(code, compose, report) if compose is not None else {}
    wanted = Conditions[str](code.space)
    for piece in code.tree.model.pieces.values():
        chosen = code.tree.model.chosen[piece.name]
        for service in piece.services:
            wanted.add(service, chosen)
            started = services.get(service, (code.space.nothing, 0))[0]
            message = f"needs the service {service}, which {COMPOSE} does not start"
            report(f"{CATALOG_DIR}/{piece.name}.yml", 1, message, chosen & ~started)
    if compose is not None:
        _check_variables(code, compose, report)
        _check_started(code, compose, services, wanted, report)
        _check_processes(code, compose, services, report)
    _check_programs(code, report)


def _check_processes(code: Code, file: File, services: Names, report: Report) -> None:
    """Check that the processes of the chosen pieces are started, and no others."""
    for piece in code.tree.model.pieces.values():
        chosen = code.tree.model.chosen[piece.name]
        for process in piece.processes:
            there, number = services.get(process.name, (code.space.nothing, 1))
            missing = f"has the process {process.name}, which {COMPOSE} does not start"
            report(f"{CATALOG_DIR}/{piece.name}.yml", 1, missing, chosen & ~there)
            report(
                file.source, file.where(number), f"starts {process.name}, which no chosen piece has", there & ~chosen
            )


def _check_programs(code: Code, report: Report) -> None:
    """Check that the image contains the programs of the chosen pieces, and no others."""
    file = code.tree.files.get(DOCKERFILE)
    chosen = Conditions[str](code.space)
    for piece in code.tree.model.pieces.values():
        for program in piece.programs:
            chosen.add(program, code.tree.model.chosen[piece.name])
    if file is None:
        return
    for program, cond in chosen.items():
        for macro in ("stage", "install"):
            for line in filter(None, code.tree.model.macro(f"{PROGRAMS_DIR}/{program}.jinja", macro).splitlines()):
                there = code.space.union(each.cond for each in file.matching(rf"^{re.escape(line)}$"))
                report(file.source, 1, f"lacks a line of a chosen piece's program: {line}", cond & ~there)
                report(file.source, 1, f"has a line of a program that no chosen piece needs: {line}", there & ~cond)


def _check_started(code: Code, file: File, services: Names, wanted: Conditions[str], report: Report) -> None:
    """Check that each started service is needed, has its address in the settings, and is waited for."""
    for service, (cond, number) in services.items():
        if service in _own(file):
            continue
        hosts = file.matching(rf"(@|//){re.escape(service)}[:/]")
        found = (
            (f"starts {service}, which no chosen piece needs", wanted[service]),
            (
                f"starts {service}, but the application does not get its address",
                code.space.union(line.cond for line in hosts),
            ),
            (f"starts {service}, but the application does not wait for it", _awaited(file, service)),
        )
        for message, there in found:
            report(file.source, file.where(number), message, cond & ~there)


def _check_variables(code: Code, file: File, report: Report) -> None:
    """Check that the variables read from `.env` are in `.env.example`; `${NAME:-default}` may be absent."""
    example = code.tree.files.get(EXAMPLE)
    for line in file.matching(r"\$\{[A-Z_]+(:\?|\})"):
        for name in re.findall(r"\$\{([A-Z_]+)(?::\?|\})", line.text):
            there = [each.cond for each in example.matching(rf"^#?\s*{name}=")] if example else []
            missing = line.cond & ~code.space.union(there)
            report(file.source, line.number, f"reads {name} from .env, but {EXAMPLE} does not contain it", missing)


def _awaited(file: File, service: str) -> Cond:
    """Return the condition under which a service of the application itself waits for another."""
    found = file.cond & ~file.cond
    own = _own(file)
    for name, _, body in _mapping(_section(file, "services")):
        for key, _, value in _mapping(body) if name in own else ():
            for other, node, _ in _mapping(value) if key == "depends_on" else ():
                if other == service:
                    found = found | file.at((node.start_mark.line + 1,))
    return found


def _mapping(node: yaml.Node | None) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    if isinstance(node, yaml.MappingNode):
        yield from ((str(key.value), key, value) for key, value in node.value)


@lru_cache(maxsize=64)
def _compose(text: str) -> yaml.Node | None:
    return yaml.compose(text, Loader=yaml.SafeLoader)


def _section(file: File, name: str) -> yaml.Node | None:
    # PyYAML keeps duplicate keys when it composes nodes. They are the alternative forms of a conditional line.
    root = _compose(file.text)
    return next((value for key, _, value in _mapping(root) if key == name), None)


def _own(file: File) -> set[str]:
    """Name the services that are the application itself: they merge its definition, or build it."""
    return {
        name
        for name, _, body in _mapping(_section(file, "services"))
        if {"<<", "build"} & {key for key, _, _ in _mapping(body)}
    }


def _names(file: File, node: yaml.Node | None) -> Names:
    found: Names = {}
    for name, key, _ in _mapping(node):
        number = key.start_mark.line + 1
        cond = file.at((number,))
        found[name] = (found[name][0] | cond if name in found else cond, number)
    return found


def _check_compose(code: Code, file: File, report: Report) -> Names:
    try:
        services = _names(file, _section(file, "services"))
        volumes = _names(file, _section(file, "volumes"))
    except yaml.YAMLError as error:
        report(file.source, 1, f"is not valid YAML: {' '.join(str(error).split())}", file.cond)
        return {}
    nothing = code.space.nothing
    for _, _, body in _mapping(_section(file, "services")):
        for key, _, value in _mapping(body):
            if key == "depends_on":
                for name, (cond, number) in _names(file, value).items():
                    missing = cond & ~services.get(name, (nothing, 0))[0]
                    report(file.source, file.where(number), f"depends on {name}, which is not started", missing)
            if key == "volumes" and isinstance(value, yaml.SequenceNode):
                for item in value.value:
                    name = str(item.value).split(":")[0]
                    number = item.start_mark.line + 1
                    missing = file.at((number,)) & ~volumes.get(name, (nothing, 0))[0]
                    if "/" not in name:
                        report(
                            file.source, file.where(number), f"mounts the volume {name}, which does not exist", missing
                        )
    return services
