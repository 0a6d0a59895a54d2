"""The meters, read from `meters.toml`."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from app.kit.types.currency import LowerCurrencyCode
from app.kit.user_error import UserError

FILE: Final = Path(__file__).with_name("meters.toml")
MAX_NAME_LENGTH: Final = 50

Name = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$", max_length=MAX_NAME_LENGTH)]


class MetersFileError(UserError):
    """`meters.toml` is unusable. The message names every wrong line or key."""

    def __init__(self, file: Path, problems: list[str]) -> None:
        self.problems = tuple(problems)
        lines = "\n".join(f"  {problem}" for problem in problems)
        name = Path(*file.parts[-3:])
        super().__init__(f"{name} is not valid:\n{lines}\nCorrect the file, then start again.")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class MeterPrice(_Part):
    """A price of a meter's units.

    Attributes:
        key: the lookup key at Stripe.
        amount: of one unit, in the currency's smallest unit, with at most twelve decimal places.
        interval: how often it is invoiced. A checkout adds the price to plans that are paid at the same interval.
    """

    key: Annotated[str, StringConstraints(pattern=r"^\S+$", max_length=200)]
    amount: Decimal = Field(gt=0, lt=10**8, decimal_places=12)
    currency: LowerCurrencyCode
    interval: Literal["month", "year"]


class Meter(_Part):
    """A quantity that is counted and billed.

    Attributes:
        name: the name in code, and the event's name at Stripe.
        prices: at most one for each interval. Without one, the usage is only counted.
    """

    name: Name
    title: str = Field(min_length=1, max_length=250)
    prices: tuple[MeterPrice, ...] = ()


class _Document(_Part):
    meters: Mapping[Name, Meter]


@dataclass(frozen=True, slots=True)
class Meters:
    """All meters by name."""

    by_name: Mapping[str, Meter]

    @classmethod
    def load(cls, file: Path = FILE) -> Self:
        """Read and check the file.

        Raises:
            MetersFileError: names every problem at once.
        """
        try:
            document = tomllib.loads(file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise MetersFileError(file, [str(error)]) from None
        tables = document.get("meters")
        if isinstance(tables, dict):
            document["meters"] = {
                name: {"name": name, **table} if isinstance(table, dict) else table for name, table in tables.items()
            }
        try:
            meters = _Document.model_validate(document).meters
        except ValidationError as error:
            raise MetersFileError(file, _problems(error)) from None
        if problems := [*_repeated_keys(meters), *_repeated_intervals(meters)]:
            raise MetersFileError(file, problems)
        return cls(meters)

    @property
    def prices(self) -> list[MeterPrice]:
        """All prices."""
        return [price for meter in self.by_name.values() for price in meter.prices]

    def get(self, name: str) -> Meter:
        """Return a meter.

        Raises:
            LookupError: no meter has this name.
        """
        if name not in self.by_name:
            raise LookupError(f'Declare the meter "{name}" in {Path(*FILE.parts[-3:])}.')
        return self.by_name[name]


def _repeated_keys(meters: Mapping[str, Meter]) -> list[str]:
    counts = Counter(price.key for meter in meters.values() for price in meter.prices)
    return [f'meters: the key "{key}" belongs to more than one price.' for key, count in counts.items() if count > 1]


def _repeated_intervals(meters: Mapping[str, Meter]) -> list[str]:
    return [
        f"meters.{meter.name}.prices: there is more than one for an interval."
        for meter in meters.values()
        if len({price.interval for price in meter.prices}) < len(meter.prices)
    ]


def _problems(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in item['loc'] if part != '[key]')}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]
