"""A port whose provider is selected by a setting: which one that is, and what has to be set for it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import ValidationInfo
from pydantic_settings import EnvSettingsSource

from app.core.config.env_file import EnvFile
from app.core.config.settings import Environment, ModuleSettings


class _Needed:
    """See `NEEDED`."""


NEEDED: Final = _Needed()
"""Marks a setting of a provider that may be empty as long as another one is selected: `Annotated[str, NEEDED] = ""`."""


class Selectable(Protocol):
    """What there is to know of a provider before it is made."""

    @property
    def name(self) -> str:
        """The value of the setting that selects it."""
        ...

    @property
    def settings(self) -> type[ModuleSettings]:
        """Its settings class."""
        ...


@dataclass(frozen=True, slots=True)
class Selection:
    """The providers of a port.

    Attributes:
        providers: those that are part of the project.
        modest: the name of the one that needs nothing, for developers' machines.
    """

    providers: Sequence[Selectable]
    modest: str

    @property
    def chosen(self) -> str:
        """The one for everywhere else."""
        return next((piece.name for piece in self.providers if piece.name != self.modest), self.modest)

    def check(self, value: str, info: ValidationInfo) -> str:
        """Validates the setting that selects, and gives the name of the selected provider.

        Unset, it means the modest one in local and the chosen one elsewhere.
        """
        default = self.modest if info.data.get("ENVIRONMENT") is Environment.LOCAL else self.chosen
        selected = value or default
        names = {piece.name: piece for piece in self.providers}
        if selected not in names:
            raise ValueError(f"has to be {' or '.join(names)}: no other provider is part of this project")
        missing = missing_settings(names[selected].settings)
        if missing:
            said = value or f"not set, hence {selected}"
            raise ValueError(f"is {said}, which needs {', '.join(missing)} to be set")
        return selected


def missing_settings(cls: type[ModuleSettings]) -> list[str]:
    """The settings of a provider without which it cannot be used."""
    # What is there and malformed is named by itself: whether it is there is all that counts here.
    there = {name for source in (EnvSettingsSource, EnvFile) for name in source(cls)()}
    return [name for name, field in cls.model_fields.items() if NEEDED in field.metadata and name not in there]
