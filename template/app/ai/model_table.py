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
    """The complexity of a question. `search` needs information from the web."""

    SIMPLE = "simple"
    MODERATE = "moderate"
    COMPLEX = "complex"
    SEARCH = "search"


class Model(BaseModel):
    """A model of the table. Prices are in US dollars per million tokens."""

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
        """The price by which the router compares models: three input tokens and one output token."""
        return 3 * self.input + self.output

    def cost(self, usage: Usage) -> Decimal:
        """Return the cost of a call."""
        fresh = usage.input_tokens - usage.cached_tokens
        cost = fresh * self.input + usage.cached_tokens * self.cached_input + usage.output_tokens * self.output
        return cost / MILLION


class ModelTable:
    """All models."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Model]:
        return {(model.provider, model.name): model for model in self.models}

    def find(self, provider: str, name: str) -> Model | None:
        """Return a model, or `None` if it isn't in the table."""
        return self._by_name.get((provider, name))

    def provider_of(self, name: str) -> str | None:
        """Return the provider of a model, or `None` if it isn't in the table."""
        return next((model.provider for model in self.models if model.name == name), None)

    def names_of(self, provider: str) -> tuple[str, ...]:
        """Return the models of a provider."""
        return tuple(model.name for model in self.models if model.provider == provider)

    def default_of(self, provider: str) -> str:
        """Return the default model of a provider."""
        return next(model.name for model in self.models if model.provider == provider and model.default)

    def tier(self, complexity: Complexity) -> tuple[Model, ...]:
        """Return the models that suit this complexity, cheapest first."""
        return tuple(sorted((m for m in self.models if complexity in m.tiers), key=lambda model: model.price))

    def cost(self, provider: str, name: str, usage: Usage | None) -> Decimal | None:
        """Return the cost of a call, or `None` if the price or the usage is unknown."""
        model = self.find(provider, name)
        return None if model is None or usage is None else model.cost(usage)


def load_models(file: Path = FILE) -> ModelTable:
    """Read the table.

    Raises:
        ValueError: the file is invalid.
    """
    document = tomllib.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    return ModelTable(TypeAdapter(list[Model]).validate_python(document.get("models", [])))
