"""Models and prices, read from `models.toml`."""

import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from app.ai.port import Usage

FILE: Final = Path(__file__).with_name("models.toml")
MILLION: Final = 1_000_000


class Complexity(StrEnum):
    """How much a question asks of a model; `search` asks for what no model knows by heart."""

    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"
    SEARCH = "search"


class Model(BaseModel):
    """A row of the table; prices in US dollars for a million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: str
    name: str
    tiers: tuple[Complexity, ...]
    default: bool = False
    input: Decimal = Field(ge=0)
    cached_input: Decimal = Field(ge=0)
    output: Decimal = Field(ge=0)

    @property
    def price(self) -> Decimal:
        """What four tokens cost, one of them written: by this the router compares."""
        return 3 * self.input + self.output

    def cost(self, usage: Usage) -> Decimal:
        """What a call costs."""
        fresh = usage.input_tokens - usage.cached_tokens
        cost = fresh * self.input + usage.cached_tokens * self.cached_input + usage.output_tokens * self.output
        return cost / MILLION


class ModelTable:
    """All rows."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Model]:
        return {(model.provider, model.name): model for model in self.models}

    def find(self, provider: str, name: str) -> Model | None:
        """The row of a model, if it has one."""
        return self._by_name.get((provider, name))

    def provider_of(self, name: str) -> str | None:
        """Whose model it is."""
        return next((model.provider for model in self.models if model.name == name), None)

    def names_of(self, provider: str) -> tuple[str, ...]:
        """The models of a provider."""
        return tuple(model.name for model in self.models if model.provider == provider)

    def default_of(self, provider: str) -> str:
        """The model that a provider answers with when nobody names one."""
        return next(model.name for model in self.models if model.provider == provider and model.default)

    def tier(self, complexity: Complexity) -> tuple[Model, ...]:
        """The models that are good enough, the cheapest first."""
        return tuple(sorted((m for m in self.models if complexity in m.tiers), key=lambda model: model.price))

    def cost(self, provider: str, name: str, usage: Usage | None) -> Decimal | None:
        """What a call costs, where that is known."""
        model = self.find(provider, name)
        return None if model is None or usage is None else model.cost(usage)


def load_models(file: Path = FILE) -> ModelTable:
    """Reads the table.

    Raises:
        ValueError: it is not one.
    """
    document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    return ModelTable(TypeAdapter(list[Model]).validate_python(document.get("models", [])))
