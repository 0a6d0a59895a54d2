"""The plans, read from `plans.toml`."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError
from sqlalchemy import Select

from app.kit.types.currency import LowerCurrencyCode
from app.kit.user_error import UserError
from app.plans.catalog_checks import problems_of, validation_problems

FILE: Final = Path(__file__).with_name("plans.toml")
MAX_NAME_LENGTH: Final = 50
MAX_AMOUNT: Final = 2**53
"""The largest whole number that every JSON client reads exactly."""

type Measure = Callable[[UUID], Select[int]]
"""A function that returns the statement that measures a user's level."""

Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$", max_length=MAX_NAME_LENGTH)]
Key = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S+$")]


class PlansFileError(UserError):
    """`plans.toml` is unusable.

    Attributes:
        problems: one line for each problem. It starts with the key in the file.
    """

    def __init__(self, file: Path, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{Path(*file.parts[-3:])} is not valid:\n{lines}\nCorrect the file, then start again.")


class LimitKind(StrEnum):
    """The kind of a limit: on the usage in a period, or on the quantity that exists at a time."""

    COUNTER = "counter"
    LEVEL = "level"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Limit(_Part):
    """A quantity that plans limit.

    Attributes:
        unit: the number of counted amounts in one unit of the limit, such as the bytes in a megabyte.
        batch: whether processes reserve it in blocks, so that most requests write nothing.
    """

    kind: Annotated[LimitKind, Field(strict=False)]
    unit: int = Field(default=1, ge=1, le=10**9)
    batch: bool = False


def _unlimited(value: object) -> object:
    return None if value == "unlimited" else value


Quota = Annotated[
    Annotated[int, Field(ge=0, le=MAX_AMOUNT)] | None,
    BeforeValidator(_unlimited, json_schema_input_type=int | Literal["unlimited"]),
]


class Price(_Part):
    """A price of a plan.

    Attributes:
        key: identifies the price at the payment provider, such as `pro_monthly`.
        amount: in the currency's smallest unit.
        currency: a code of ISO 4217, kept in lower case.
        interval: how often it is paid.
    """

    key: Key
    amount: int = Field(ge=1, le=99_999_999)
    currency: LowerCurrencyCode
    interval: Literal["month", "year"]


class Plan(_Part):
    """A plan.

    Attributes:
        rank: orders the plans. The default plan has rank 0; of several plans of a user, the highest rank counts.
        limits: by name; `None` means unlimited.
        trial_days: days of a trial, for a customer's first subscription. 0: no trial.
        prices: its prices at payment providers that use lookup keys.
        products: its products in app stores.
    """

    name: Name
    title: str = Field(min_length=1, max_length=100)
    rank: int = Field(ge=0, le=1_000_000)
    limits: Mapping[Name, Quota]
    features: tuple[Name, ...] = Field(default=(), strict=False)
    trial_days: int = Field(default=0, ge=0, le=730)
    prices: tuple[Price, ...] = Field(default=(), strict=False)
    products: tuple[Key, ...] = Field(default=(), strict=False)


class _Document(_Part):
    limits: Mapping[Name, Limit]
    plans: Mapping[Name, Plan]


@dataclass(frozen=True, slots=True)
class PlanCatalog:
    """All plans, the lowest rank first, and the quantities that they limit.

    Attributes:
        measures: functions that return the statement that measures a level, by its name. Other levels are only counted.
    """

    plans: tuple[Plan, ...]
    limits: Mapping[str, Limit]
    measures: Mapping[str, Measure] = field(default_factory=dict)

    @classmethod
    def load(cls, file: Path = FILE, *, measures: Mapping[str, Measure] | None = None) -> Self:
        """Read and check the file.

        Args:
            file: the file. By default, the application's own.
            measures: see the attribute.

        Raises:
            PlansFileError: the file is unusable. The message lists all problems.
        """
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise PlansFileError(file, [str(error)]) from None
        tables = document.get("plans")
        if isinstance(tables, dict):
            document["plans"] = {name: _named(name, table) for name, table in tables.items()}
        try:
            checked = _Document.model_validate(document)
        except ValidationError as error:
            raise PlansFileError(file, validation_problems(error)) from None
        plans = tuple(sorted(checked.plans.values(), key=lambda plan: plan.rank))
        if problems := problems_of(plans, checked.limits, measures or {}):
            raise PlansFileError(file, problems)
        return cls(plans, checked.limits, measures or {})

    @property
    def default(self) -> Plan:
        """The plan of users without a subscription."""
        return self.plans[0]

    def get(self, name: str) -> Plan:
        """Return a plan.

        Raises:
            LookupError: no plan has this name.
        """
        plan = self.find(name)
        if plan is None:
            raise LookupError(f'No plan is named "{name}". Known: {", ".join(plan.name for plan in self.plans)}.')
        return plan

    def find(self, name: str) -> Plan | None:
        """Return a plan; `None` if no plan has this name."""
        return next((plan for plan in self.plans if plan.name == name), None)

    def limit(self, resource: str) -> Limit | None:
        """Return the limit of a resource; `None` for a level of a module that plans.toml doesn't limit.

        Raises:
            LookupError: neither plans.toml nor a module declares it.
        """
        if resource not in self.limits:
            if resource in self.measures:
                return None
            raise LookupError(f'Declare "{resource}" in [limits] of {Path(*FILE.parts[-3:])}.')
        return self.limits[resource]

    @property
    def unlimited_levels(self) -> tuple[str, ...]:
        """The levels of modules that plans.toml doesn't limit."""
        return tuple(sorted(self.measures.keys() - self.limits.keys()))

    def for_price(self, key: str) -> Plan | None:
        """Return the plan that a price belongs to."""
        return next((plan for plan in self.plans if any(price.key == key for price in plan.prices)), None)

    def for_product(self, product_id: str) -> Plan | None:
        """Return the plan that a store's product belongs to."""
        return next((plan for plan in self.plans if product_id in plan.products), None)

    def highest(self, names: Iterable[str]) -> Plan:
        """Return the plan of the highest rank; the default plan if there is none. Unknown names don't count."""
        wanted = set(names)
        return next((plan for plan in reversed(self.plans) if plan.name in wanted), self.default)


def _named(name: str, table: object) -> object:
    return {"name": name, **table} if isinstance(table, dict) else table
