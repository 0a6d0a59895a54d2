"""The file of meters, and what is wrong with it."""

from pathlib import Path

import pytest

from app.usage_billing.meters import Meters, MetersFileError

GOOD = """
[meters.pages]
title = "Pages"
prices = [{ key = "pages_monthly", amount = "0.5", currency = "usd", interval = "month" }]

[meters.calls]
title = "Calls"
"""


PRICE = '{ key = "%s", amount = 1, currency = "usd", interval = "month" }'


def problems(folder: Path, text: str) -> list[str]:
    """Return the error about a file."""
    file = folder / "meters.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(MetersFileError) as raised:
        Meters.load(file)
    return list(raised.value.problems)


class TestLoad:
    def test_the_template_s_own_file_is_valid(self) -> None:
        assert all(meter.name == name for name, meter in Meters.load().by_name.items())

    def test_finds_meters(self, tmp_path: Path) -> None:
        (tmp_path / "meters.toml").write_text(GOOD, encoding="utf-8")
        meters = Meters.load(tmp_path / "meters.toml")
        assert meters.get("calls").prices == ()
        assert [price.key for price in meters.prices] == ["pages_monthly"]
        with pytest.raises(LookupError, match="Declare the meter"):
            meters.get("page")

    @pytest.mark.parametrize(
        ("old", "new", "expected"),
        [
            ('title = "Calls"', 'title = "Calls', "at line 7"),
            ('title = "Calls"', "", "meters.calls.title: Field required"),
            ('title = "Calls"', "unit = 3", "meters.calls.unit: Extra inputs are not permitted"),
            ("[meters.calls]", '[meters."Calls"]', "meters.Calls: String should match pattern"),
            ("[meters.pages]", "[meters]\nodd = 3\n[meters.pages]", "meters.odd: Input should be"),
            ('"0.5"', '"0"', "meters.pages.prices.0.amount: Input should be greater than 0"),
            ('"0.5"', '"0.0000000000001"', "meters.pages.prices.0.amount: Decimal input should have no more than"),
            ('"usd"', '"uds"', "meters.pages.prices.0.currency: Value error, must be the code"),
            ('"month"', '"week"', "meters.pages.prices.0.interval: Input should be"),
            (
                'title = "Calls"',
                f'title = "Calls"\nprices = [{PRICE % "pages_monthly"}]',
                'the key "pages_monthly" belongs to more than one price',
            ),
            (
                "prices = [",
                f"prices = [{PRICE % 'other'}, ",
                "meters.pages.prices: there is more than one for an interval",
            ),
        ],
    )
    def test_names_the_key_or_the_line(self, tmp_path: Path, old: str, new: str, expected: str) -> None:
        assert old in GOOD
        found = problems(tmp_path, GOOD.replace(old, new, 1))
        assert any(expected in problem for problem in found), found

    def test_reports_a_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(MetersFileError, match="No such file"):
            Meters.load(tmp_path / "meters.toml")
