"""`app settings`: which settings there are, where each value comes from, and which are missing. No values are shown."""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import click

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from app.core.config.settings import ModuleSettings

type Source = Literal["environment", ".env", "default", ""]
type State = Literal["set", "default", "empty", "missing", "invalid"]
type Required = Literal["yes", "with its provider", ""]

COLUMNS = ("SETTING", "SOURCE", "STATE", "REQUIRED IN PRODUCTION")


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingState:
    """A setting, without its value.

    Attributes:
        name: the environment variable.
        module: the module that reads it.
        source: where the value comes from. Empty if there is no value.
        state: `empty` is an optional setting without a value; `invalid` has a value that is refused.
        required: whether production needs it. A provider's settings are needed only where it is selected.
        problem: why the state is `missing` or `invalid`.
    """

    name: str
    module: str
    source: Source
    state: State
    required: Required
    problem: str = ""


@click.command()
@click.option("--production", is_flag=True, help="Check the settings by the rules of production.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def settings(*, production: bool, as_json: bool) -> None:
    """List the settings of all modules.

    Shows where each value comes from, but never a value. docs/settings.md describes every setting.
    """
    from contextlib import nullcontext

    from app.kit.environment import in_environment

    with in_environment("ENVIRONMENT", "production") if production else nullcontext():
        states = list(_setting_states())
    if as_json:
        click.echo(json.dumps([asdict(state) for state in states], indent=2))
        return
    rows = [(state.name, state.source, state.state, state.required) for state in states]
    for line in table(COLUMNS, rows):
        click.echo(line)
    problems = [state.problem for state in states if state.problem]
    if problems:
        click.echo("\nProblems:")
        for problem in problems:
            click.echo(f"  {problem}")


def table(columns: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Yield the lines of a table with aligned columns, its header first."""
    lines = [columns, *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(columns))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()


def _setting_states() -> Iterator[SettingState]:
    from app.core.config.settings import ConfigurationError, load_settings
    from app.core.lifecycle import settings_classes
    from app.modules import MODULES

    problems: dict[str, str] = {}
    try:
        load_settings(settings_classes(MODULES))
    except ConfigurationError as error:
        problems = {problem.split(" ", 1)[0]: problem for problem in error.problems}
    seen: set[str] = set()
    for module in MODULES:
        for cls in module.settings:
            for name, field in cls.model_fields.items():
                if name not in seen:
                    seen.add(name)
                    yield _state(module.name, cls, name, field, problems.get(name, ""))


def _state(module: str, cls: "type[ModuleSettings]", name: str, field: "FieldInfo", problem: str) -> SettingState:
    source = _source(cls, name, field)
    state: State
    if problem:
        state = "invalid" if source in {"environment", ".env"} else "missing"
    elif source == "default":
        state = "default"
    else:
        state = "set" if source else "empty"
    return SettingState(
        name=name, module=module, source=source, state=state, required=_required(field), problem=problem
    )


def _source(cls: "type[ModuleSettings]", name: str, field: "FieldInfo") -> Source:
    from app.core.config.env_file import EnvFile

    if os.environ.get(name):
        return "environment"
    try:
        if EnvFile(cls).env_vars.get(name):
            return ".env"
    except UnicodeDecodeError:
        # Listed as a problem of its own.
        return ""
    has_default = not field.is_required() and field.default not in (None, "", ()) and str(field.default) != ""
    return "default" if has_default else ""


def _required(field: "FieldInfo") -> Required:
    from app.core.config.settings import RequiredOutsideLocal, RequiredWithProvider

    if any(isinstance(item, RequiredWithProvider) for item in field.metadata):
        return "with its provider"
    return "yes" if field.is_required() or RequiredOutsideLocal in field.metadata else ""
