"""The periods of counters."""

from datetime import UTC, datetime

import pytest

from app.plans.periods import billing_month, calendar_month


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class TestCalendarMonth:
    @pytest.mark.parametrize(
        ("now", "start", "end"),
        [
            ("2028-02-29T23:59:59", "2028-02-01", "2028-03-01"),
            ("2027-02-28T23:59:59", "2027-02-01", "2027-03-01"),
            ("2027-12-31T23:59:59", "2027-12-01", "2028-01-01"),
            ("2028-01-01T00:00:00", "2028-01-01", "2028-02-01"),
        ],
    )
    def test_is_that_of_utc(self, now: str, start: str, end: str) -> None:
        assert calendar_month(at(now)) == (at(start), at(end))

    def test_follows_utc_and_not_the_time_zone_of_the_time(self) -> None:
        assert calendar_month(datetime.fromisoformat("2027-03-01T01:00:00+02:00")) == (
            at("2027-02-01"),
            at("2027-03-01"),
        )


class TestBillingMonth:
    @pytest.mark.parametrize(
        ("billing", "now", "expected"),
        [
            # A month is covered whole, also one that begins or ends on the last day of a shorter month.
            (("2027-01-15T10:00", "2027-02-15T10:00"), "2027-02-15T09:59", ("2027-01-15T10:00", "2027-02-15T10:00")),
            (("2027-01-31", "2027-02-28"), "2027-02-27", ("2027-01-31", "2027-02-28")),
            (("2027-02-28", "2027-03-31"), "2027-03-30", ("2027-02-28", "2027-03-31")),
            (("2028-02-29", "2028-03-31"), "2028-03-30", ("2028-02-29", "2028-03-31")),
            # So is a shorter period, such as a trial or a week.
            (("2027-01-15", "2027-01-22"), "2027-01-16", ("2027-01-15", "2027-01-22")),
            # A year is divided into months.
            (("2027-01-15", "2028-01-15"), "2027-01-15", ("2027-01-15", "2027-02-15")),
            (("2027-01-15", "2028-01-15"), "2028-01-14", ("2027-12-15", "2028-01-15")),
            # Months that begin on the 31st.
            (("2027-01-31", "2028-01-31"), "2027-02-27", ("2027-01-31", "2027-02-28")),
            (("2027-01-31", "2028-01-31"), "2027-02-28", ("2027-02-28", "2027-03-31")),
            (("2027-01-31", "2028-01-31"), "2027-04-30", ("2027-04-30", "2027-05-31")),
            # A leap day: the next year has none.
            (("2028-02-29", "2029-02-28"), "2028-03-28", ("2028-02-29", "2028-03-29")),
            (("2028-02-29", "2029-02-28"), "2029-02-27", ("2029-01-29", "2029-02-28")),
            (("2027-02-28", "2028-02-28"), "2028-02-27", ("2028-01-28", "2028-02-28")),
            # Days that are left at the end belong to the last month.
            (("2027-01-01", "2027-03-03"), "2027-03-02", ("2027-02-01", "2027-03-03")),
            (("2027-01-01", "2027-03-31"), "2027-03-30", ("2027-03-01", "2027-03-31")),
            # A late renewal: the next period is assumed, with the day of the month that it will have.
            (("2027-01-15", "2027-02-15"), "2027-02-20", ("2027-02-15", "2027-03-15")),
            (("2027-01-31", "2027-02-28"), "2027-03-02", ("2027-02-28", "2027-03-31")),
            (("2027-01-15", "2027-02-15"), "2027-04-15", ("2027-04-15", "2027-05-15")),
            # The clock is behind the provider's.
            (("2027-01-15", "2028-01-15"), "2027-01-14", ("2027-01-15", "2027-02-15")),
        ],
    )
    def test_covers(self, billing: tuple[str, str], now: str, expected: tuple[str, str]) -> None:
        assert billing_month(at(billing[0]), at(billing[1]), at(now)) == (at(expected[0]), at(expected[1]))

    def test_every_moment_is_in_exactly_one_month(self) -> None:
        start, end = at("2027-08-31T08:30"), at("2028-08-31T08:30")
        now, months = start, []
        while now < end:
            months.append(billing_month(start, end, now))
            assert months[-1].start == now
            now = months[-1].end
        assert now == end
        assert len(months) == 12
