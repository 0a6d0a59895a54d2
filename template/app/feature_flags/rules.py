"""The rules of a flag, and the stable hash behind percentages."""

import hashlib
import operator
from typing import Annotated, Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

MAX_RULES: Final = 10
MAX_PLANS: Final = 20
MAX_PLAN_LENGTH: Final = 50

_EVERYONE: Final = "Every user, and anonymous visitors. Excludes other conditions."

PlanName = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]*$", max_length=MAX_PLAN_LENGTH)]


class FlagRule(BaseModel):
    """Users for whom a flag is on. All conditions of a rule must hold. A response omits conditions that are not set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    everyone: bool = Field(
        default=False,
        exclude_if=operator.not_,
        description=_EVERYONE,
    )
    listed: bool = Field(default=False, exclude_if=operator.not_, description="Users in the flag's list.")
    plans: tuple[PlanName, ...] = Field(
        default=(),
        max_length=MAX_PLANS,
        exclude_if=operator.not_,
        description="Users with one of these plans. Empty: any plan.",
    )
    percentage: float | None = Field(
        default=None,
        ge=0,
        le=100,
        allow_inf_nan=False,
        strict=True,
        exclude_if=lambda value: value is None,
        description="A share of all users. Growing it never removes a user.",
    )

    @model_validator(mode="after")
    def _has_conditions(self) -> Self:
        others = self.listed or bool(self.plans) or self.percentage is not None
        if self.everyone and others:
            raise ValueError("`everyone` excludes other conditions")
        if not self.everyone and not others:
            raise ValueError("needs a condition: everyone, listed, plans or percentage")
        if len(set(self.plans)) < len(self.plans):
            raise ValueError("names a plan twice")
        return self


def user_fraction(key: str, user_id: UUID) -> float:
    """Return a user's position for a flag, from 0 up to but not including 1.

    It is the first 53 bits of SHA-256 over the flag's key, a NUL byte and the user's id in lower case with hyphens,
    divided by 2**53. It depends on nothing else, so a user keeps the position as long as the flag keeps its key, and a
    user's positions for two flags are independent.
    """
    digest = hashlib.sha256(f"{key}\0{user_id}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def in_percentage(key: str, user_id: UUID, percentage: float) -> bool:
    """Return whether the user is among the first `percentage` percent of all positions."""
    return user_fraction(key, user_id) < percentage / 100
