"""The figures of payments: subscriptions and monthly revenue by plan."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby
from operator import attrgetter
from typing import Final

from sqlalchemy import ColumnElement, Executable, Select, and_, false, func, literal, literal_column, select, union_all
from sqlmodel import col

from app.core.data_policy.figures import MAX_COUNTED, Numbers, rows_by
from app.core.manifest import Figure
from app.core.runtime import Runtime
from app.payments.models import Subscription
from app.payments.port import SubscriptionStatus
from app.plans.catalog import Plan, PlanCatalog, Price

PAYING: Final = (SubscriptionStatus.ACTIVE, SubscriptionStatus.PAST_DUE)
_MONTHS: Final = {"month": 1, "year": 12}
_LIMIT: Final[ColumnElement[int]] = literal_column(str(MAX_COUNTED + 1))


def _real(runtime: Runtime) -> ColumnElement[bool]:
    """Return the condition that real money is paid. Outside of production, sandbox subscriptions count too."""
    in_production = col(Subscription.sandbox).is_(False) if runtime.settings.is_production else ~false()
    return and_(col(Subscription.status).in_(PAYING), in_production)


def subscriptions_by_plan(runtime: Runtime, now: datetime) -> Executable:
    """Count the paid subscriptions of each plan."""
    plans = [plan.name for plan in runtime.resource(PlanCatalog).plans]
    return rows_by(col(Subscription.plan), plans, _real(runtime))(runtime, now)


def revenue_by_plan(runtime: Runtime, _now: datetime) -> Numbers:
    """Add up what the subscriptions of each plan pay in a month, in the smallest unit of each currency.

    Subscriptions in app stores are not included: their prices are not in plans.toml.
    """
    rows = [
        _revenue(runtime, plan, currency, list(prices))
        for plan in runtime.resource(PlanCatalog).plans
        for currency, prices in groupby(sorted(plan.prices, key=_currency), _currency)
    ]
    return union_all(*(rows or [_nothing()]))


_currency = attrgetter("currency")


def _revenue(runtime: Runtime, plan: Plan, currency: str, prices: Iterable[Price]) -> Select[str, int, bool]:
    amounts: ColumnElement[int] = literal(0)
    is_exact: ColumnElement[bool] = ~false()
    for amount, counted in _paid(runtime, plan, prices):
        amounts, is_exact = amounts + amount, and_(is_exact, counted <= MAX_COUNTED)
    return select(literal(f"{plan.name} ({currency})"), amounts, is_exact)


def _paid(
    runtime: Runtime, plan: Plan, prices: Iterable[Price]
) -> Iterator[tuple[ColumnElement[int], ColumnElement[int]]]:
    """Yield the monthly amount of each price, and the number of subscriptions, up to one more than is counted."""
    for price in prices:
        bought = (
            select(col(Subscription.quantity))
            .where(col(Subscription.plan) == plan.name, col(Subscription.product) == price.key, _real(runtime))
            .limit(_LIMIT)
            .subquery()
        )
        units = func.coalesce(func.sum(bought.c.quantity), 0)
        yield (
            select(units * price.amount / _MONTHS[price.interval]).scalar_subquery(),
            select(func.count()).select_from(bought).scalar_subquery(),
        )


def _nothing() -> Select[str, int, bool]:
    return select(literal("none"), literal(0), ~false())


FIGURES: Final = (
    Figure(name="subscriptions_by_plan", query=subscriptions_by_plan),
    Figure(name="revenue_by_plan", query=revenue_by_plan, unit="per month"),
)
