"""Checks of `plans.toml`, each problem with its key."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from pydantic import ValidationError

if TYPE_CHECKING:
    from app.plans.catalog import Limit, Plan


class StandardLimit(StrEnum):
    """A limit that the template's own modules use, if they are chosen. plans.toml must declare each."""

    API_CALLS = auto()
    AI_REQUESTS = auto()
    STORAGE_MB = auto()
    PROJECTS = auto()
    TEAM_MEMBERS = auto()

    @property
    def kind(self) -> str:
        """The kind that it must have."""
        return "counter" if self in {StandardLimit.API_CALLS, StandardLimit.AI_REQUESTS} else "level"


def validation_problems(error: ValidationError) -> list[str]:
    """Return one line for each problem: the key in the file and what is wrong with it."""
    return [
        f"{'.'.join(str(part) for part in item['loc'] if part != '[key]') or 'the file'}: {item['msg']}"
        for item in error.errors(include_url=False, include_input=False, include_context=False)
    ]


def problems_of(plans: "Sequence[Plan]", limits: "Mapping[str, Limit]", levels: Collection[str]) -> list[str]:
    """Return what no single value shows: contradictions between plans, and with the levels that modules measure."""
    required = {limit.value: limit.kind for limit in StandardLimit}
    required |= {name: "level" for name in levels if name in limits}
    return [
        *_limit_problems(limits, required),
        *_rank_problems(plans),
        *_plan_problems(plans, limits),
        *_key_problems(plans),
    ]


def _limit_problems(limits: "Mapping[str, Limit]", required: Mapping[str, str]) -> Iterator[str]:
    for name, kind in required.items():
        if name not in limits:
            yield f'limits.{name}: is missing. To not limit it, declare it and set it to "unlimited" in every plan.'
        elif limits[name].kind != kind:
            yield f"limits.{name}.kind: must be {kind}."
    for name, limit in limits.items():
        if limit.batch and limit.kind != "counter":
            yield f"limits.{name}.batch: only a counter can be counted in blocks."


def _rank_problems(plans: "Sequence[Plan]") -> Iterator[str]:
    ranks = Counter(plan.rank for plan in plans)
    for rank, count in sorted(ranks.items()):
        if count > 1:
            names = ", ".join(plan.name for plan in plans if plan.rank == rank)
            yield f"plans: {names} have the same rank, {rank}. Every plan needs its own."
    if 0 not in ranks:
        yield "plans: no plan has rank 0, the plan of users without a subscription."


def _plan_problems(plans: "Sequence[Plan]", limits: "Mapping[str, Limit]") -> Iterator[str]:
    for plan in plans:
        for name in limits.keys() - plan.limits.keys():
            yield f'plans.{plan.name}.limits.{name}: is missing. Write a number or "unlimited".'
        for name in plan.limits.keys() - limits.keys():
            yield f"plans.{plan.name}.limits.{name}: is not declared in [limits]. Known: {', '.join(sorted(limits))}."
        if plan.rank == 0 and (plan.prices or plan.products or plan.trial_days):
            yield f"plans.{plan.name}: the default plan cannot have prices, products or a trial."


def _key_problems(plans: "Sequence[Plan]") -> Iterator[str]:
    for kind, keys in (
        ("prices", [(price.key, plan.name) for plan in plans for price in plan.prices]),
        ("products", [(product, plan.name) for plan in plans for product in plan.products]),
    ):
        counts = Counter(key for key, _ in keys)
        for key, count in counts.items():
            if count > 1:
                owners = ", ".join(dict.fromkeys(plan for other, plan in keys if other == key))
                yield f'{kind}: "{key}" is listed more than once ({owners}). It can belong to one plan only.'
