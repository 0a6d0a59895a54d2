"""Selection of a port's provider by a setting, and the settings that the selected provider requires."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import ValidationInfo
from pydantic_settings import EnvSettingsSource

from app.core.config.env_file import EnvFile
from app.core.config.settings import Environment, ModuleSettings, RequiredWithProvider

NEEDED: Final = RequiredWithProvider()
"""Mark of a setting that is required only if its provider is selected: `Annotated[str, NEEDED] = ""`."""


class Selectable(Protocol):
    """The description of a provider that has not been created."""

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
        local_default: the name of the provider without requirements, for developers' machines.
    """

    providers: Sequence[Selectable]
    local_default: str

    @property
    def chosen(self) -> str:
        """The name of the provider outside local."""
        return next((piece.name for piece in self.providers if piece.name != self.local_default), self.local_default)

    def check(self, value: str, info: ValidationInfo) -> str:
        """Validate the setting, and return the name of the selected provider.

        If the setting is empty, that is `local_default` in local and `chosen` elsewhere.
        """
        default = self.local_default if info.data.get("ENVIRONMENT") is Environment.LOCAL else self.chosen
        selected = value or default
        names = {piece.name: piece for piece in self.providers}
        if selected not in names:
            raise ValueError(f"must be {' or '.join(names)}: no other provider is part of this project")
        missing = missing_settings(names[selected].settings)
        if missing:
            said = value or f"not set, hence {selected}"
            raise ValueError(f"is {said}, which needs {', '.join(missing)} to be set")
        return selected


def missing_settings(cls: type[ModuleSettings]) -> list[str]:
    """Return the names of a provider's required settings that are not set."""
    # Malformed values are reported by their own validators. Only missing ones count here.
    there = {name for source in (EnvSettingsSource, EnvFile) for name in source(cls)()}
    return [name for name, field in cls.model_fields.items() if NEEDED in field.metadata and name not in there]
