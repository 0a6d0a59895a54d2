"""Amounts of money."""

from decimal import ROUND_UP, Context, Decimal, Inexact, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.types.money import MAX_AMOUNT, AmountError, CurrencyMismatchError, Money
from tests.kit.types.samples import ALL, refuses

AMOUNTS = st.integers(-(10**12), 10**12)


@given(AMOUNTS, AMOUNTS, st.integers(-100, 100))
def test_arithmetic_is_that_of_integers(one: int, other: int, factor: int) -> None:
    first, second = Money(one, "EUR"), Money(other, "EUR")
    assert (first + second).amount == one + other
    assert first - second == -(second - first)
    assert (first * factor, factor * first) == (Money(one * factor, "EUR"),) * 2
    assert (first < second, first <= second, first > second, first >= second) == (
        one < other, one <= other, one > other, one >= other,
    )  # fmt: skip
    assert abs(first) == Money(abs(one), "EUR")
    assert bool(first) == bool(one)
    assert Money.sum([first, second], "EUR") == first + second


@given(AMOUNTS, st.lists(st.integers(0, 1000), min_size=1, max_size=9).filter(any))
def test_a_split_loses_nothing(amount: int, weights: list[int]) -> None:
    parts = Money(amount, "EUR").split(weights)
    assert Money.sum(parts, "EUR").amount == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part.amount - amount * weight / sum(weights)) <= 1 + abs(amount) * 1e-12
        assert weight or not part


@pytest.mark.parametrize("weights", [[], [0], [1, -1], [2, -1]])
def test_a_split_needs_weights(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="Weights"):
        Money(100, "EUR").split(weights)


def test_currencies_do_not_mix() -> None:
    one, other = Money(1, "EUR"), Money(1, "USD")
    for operation in (
        lambda: one + other, lambda: one - other, lambda: one < other, lambda: one <= other, lambda: one > other,
        lambda: one >= other, lambda: Money.sum([one, other], "EUR"), lambda: Money.sum([one], "USD"),
    ):  # fmt: skip
        with pytest.raises(CurrencyMismatchError, match="cannot be combined"):
            operation()
    assert one != other


@given(AMOUNTS, st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_decimal_is_read_back(amount: int, currency: str) -> None:
    money = Money(amount, currency)
    assert Money.of(money.decimal, currency) == money == Money.of(str(money).split()[0], currency)


def test_a_decimal_is_exact_in_every_decimal_context() -> None:
    with localcontext(Context(prec=3, traps=[Inexact])):
        assert str(Money(-123456, "EUR")) == "-1234.56 EUR"


def test_digits_depend_on_the_currency() -> None:
    assert [str(Money(1999, code)) for code in ("EUR", "JPY", "KWD")] == ["19.99 EUR", "1999 JPY", "1.999 KWD"]


@pytest.mark.parametrize(
    "value",
    [
        "19.999",
        "1e-999999",
        "1e999999",
        "nan",
        "inf",
        "",
        "a",
        "1" * 5000,
        "0.01" + "0" * 60 + "1",
        Decimal("0.001"),
        True,
        10**15,
        pytest.param(-(10**5000), id="huge"),
    ],
)
def test_values_that_are_not_exact_are_refused(value: str | Decimal | int) -> None:
    with pytest.raises(AmountError):
        Money.of(value, "EUR")


@pytest.mark.parametrize(
    ("value", "currency", "message"),
    [
        ("19.99", "JPY", "An amount in JPY has at most 0 decimal places."),
        ("1.2345", "KWD", "An amount in KWD has at most 3 decimal places."),
        ("1e15", "EUR", f"An amount is an integer from -{MAX_AMOUNT} to {MAX_AMOUNT}."),
        ("a", "EUR", "The value is not a number that can be an amount."),
        (19.99, "EUR", "The digits of a float are not exact: pass a Decimal or a string."),
    ],
)
def test_the_error_names_the_reason(value: str, currency: str, message: str) -> None:
    with pytest.raises(AmountError) as raised:
        Money.of(value, currency)
    assert str(raised.value) == message


@pytest.mark.parametrize("amount", [1.0, True, "1", None, MAX_AMOUNT + 1, -MAX_AMOUNT - 1])
def test_an_amount_is_an_integer_with_a_limit(amount: int) -> None:
    with pytest.raises(AmountError):
        Money(amount, "EUR")
    with pytest.raises(ValueError, match="code of a currency"):
        Money(1, "AAA")
    with pytest.raises(AmountError):
        Money(MAX_AMOUNT, "EUR") + Money(1, "EUR")


@pytest.mark.parametrize(
    ("amount", "factor", "result"),
    [
        (1000, Decimal("0.077"), 77),
        (25, Decimal("0.1"), 2),
        (35, Decimal("0.1"), 4),
        (-25, Decimal("0.1"), -2),
        (3, 2, 6),
    ],
)
def test_a_product_is_rounded_once(amount: int, factor: Decimal | int, result: int) -> None:
    assert Money(amount, "EUR").times(factor) == Money(result, "EUR")
    assert Money(21, "EUR").times(Decimal("0.1"), rounding=ROUND_UP) == Money(3, "EUR")


@pytest.mark.parametrize("factor", [Decimal("nan"), Decimal("inf"), Decimal("1e30"), Decimal("1." + "1" * 60)])
def test_a_factor_is_a_number_that_keeps_the_amount_in_its_limits(factor: Decimal) -> None:
    with pytest.raises(AmountError):
        Money(10**14 + 1, "EUR").times(factor)


def test_as_json() -> None:
    money = ALL["Money"]
    assert money.validate_json('{"amount": 1999, "currency": "eur"}') == Money(1999, "EUR")
    assert money.dump_json(Money(1999, "EUR")) == b'{"amount":1999,"currency":"EUR"}'
    for text in (
        '{"amount": "1999", "currency": "EUR"}', '{"amount": 19.99, "currency": "EUR"}', '{"amount": 1}', "1999",
        '{"amount": true, "currency": "EUR"}', '{"amount": 1, "currency": "EUR", "more": 1}',
        '{"amount": 1e400, "currency": "EUR"}',
    ):  # fmt: skip
        with pytest.raises(ValueError, match="validation error"):
            money.validate_json(text)
    assert refuses(money, Money)
