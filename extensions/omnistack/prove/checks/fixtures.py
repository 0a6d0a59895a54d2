"""Fixtures: every fixture that a test or a fixture uses is defined where it is visible."""

import re
from collections.abc import Iterator

from omnistack.prove.code import Code, Module
from omnistack.prove.facts import Function
from omnistack.prove.finding import Report
from omnistack.prove.space import Cond, Conditions

BUILT_IN = frozenset({
    "cache", "capfd", "capfdbinary", "caplog", "capsys", "capsysbinary", "doctest_namespace", "monkeypatch",
    "pytestconfig", "record_property", "recwarn", "request", "subtests", "tmp_path", "tmp_path_factory",
    # pytest-asyncio and pytest-socket, which every project has
    "event_loop_policy", "unused_tcp_port", "unused_tcp_port_factory", "socket_enabled", "socket_disabled",
})  # fmt: skip

GENERATING = frozenset({"given", "hypothesis.given"})
"""Decorators whose library passes the named arguments, or all if none is named."""


def check_fixtures(code: Code, report: Report) -> None:
    """Check the arguments of tests and fixtures."""
    known = {module.name: dict(_defined(code, module)) for module in code if module.name.startswith("tests")}
    asked = {name for module in code for function in module.facts.functions for name in _named(function)}
    asked |= {text for _, call in code.calls("getfixturevalue") for text in call.texts}
    for module in code:
        if not module.name.startswith("tests"):
            continue
        _check_unused(module, asked, report)
        for function in module.facts.functions:
            if not is_test(module, function) and fixture_name(function) is None:
                continue
            for name in _asked(function):
                there = _visible(code, module, name, known) | _inherited(code, module, function.cls, name)
                message = f"{function.name} uses the fixture {name}, which is not defined"
                line = module.file.where(function.lines[-1])
                report(module.file.source, line, message, module.at(function.lines) & ~there)


def _check_unused(module: Module, asked: set[str], report: Report) -> None:
    for function in module.facts.functions:
        name = fixture_name(function)
        automatic = any(each.automatic for each in function.decorators)
        if name is not None and name not in asked and not automatic:
            line = module.file.where(function.lines[-1])
            report(module.file.source, line, f"nothing uses the fixture {name}", module.at(function.lines))


def is_test(module: Module, function: Function) -> bool:
    """Return whether pytest runs a function; those of shared suites that other files subclass count as well."""
    return function.name.startswith("test_") and module.name.startswith("tests")


def fixture_name(function: Function) -> str | None:
    """Return the name of the fixture that a function defines."""
    for decorator in function.decorators:
        if decorator.function in {"fixture", "pytest.fixture", "pytest_asyncio.fixture"}:
            return decorator.name or function.name
    return None


def _named(function: Function) -> Iterator[str]:
    yield from function.arguments
    for decorator in function.decorators:
        if decorator.function.endswith("mark.usefixtures"):
            yield from decorator.texts


def _asked(function: Function) -> Iterator[str]:
    given: set[str] = {"self", "cls"}
    for decorator in function.decorators:
        if decorator.function.endswith("mark.parametrize"):
            given.update(part for text in decorator.first for part in re.split(r"\s*,\s*", text.strip()))
        elif decorator.function.endswith("mark.usefixtures"):
            yield from decorator.texts
        elif decorator.function in GENERATING:
            given.update(decorator.keywords or function.arguments)
    yield from (name for name in function.arguments if name not in given and name not in BUILT_IN)


def _defined(code: Code, module: Module) -> Iterator[tuple[str, Cond]]:
    found = Conditions[str](code.space)
    for function in module.facts.functions:
        name = fixture_name(function)
        if name is not None and not function.cls:
            found.add(name, module.at(function.lines))
    for each in module.facts.imports:
        holder = code.modules.get(each.module)
        for function in holder.facts.functions if holder else ():
            if holder is not None and function.name == each.name and fixture_name(function) is not None:
                name = fixture_name(function) or each.bound
                cond = module.at(each.lines) & holder.at(function.lines)
                found.add(name, cond)
    yield from found.items()


def _inherited(code: Code, module: Module, name: str, fixture: str) -> Cond:
    """Look in the class of a method and in the classes that it descends from."""
    cond = code.space.nothing
    pending, seen = [(module.name, name)] if name else [], set[tuple[str, str]]()
    while pending:
        key = pending.pop()
        holder = code.modules.get(key[0])
        if holder is None or key in seen:
            continue
        seen.add(key)
        for function in holder.facts.functions:
            if function.cls == key[1] and fixture_name(function) == fixture:
                cond = cond | holder.at(function.lines)
        for each in holder.facts.classes:
            if each.name == key[1]:
                pending.extend(code.resolve(holder, base) for base in each.bases)
    return cond


def _visible(code: Code, module: Module, name: str, known: dict[str, dict[str, Cond]]) -> Cond:
    """Look in the module, then in `conftest.py` of its folder and of all above, and in plugins that these name."""
    places = [module.name]
    package = module.name.rpartition(".")[0]
    while package:
        places.append(f"{package}.conftest")
        package = package.rpartition(".")[0]
    for place in tuple(places):
        holder = code.modules.get(place)
        if holder is not None and "pytest_plugins" in holder.facts.values:
            value = holder.facts.values["pytest_plugins"][0]
            places.extend([value] if isinstance(value, str) else [str(each) for each in value])  # type: ignore[attr-defined]
    cond = code.space.nothing
    for place in places:
        cond = cond | known.get(place, {}).get(name, code.space.nothing)
    return cond
