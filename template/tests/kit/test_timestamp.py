"""Times in requests."""

from datetime import UTC, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from app.kit.timestamp import Timestamp

ADAPTER: TypeAdapter[datetime] = TypeAdapter(Timestamp)
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "value", ["2026-01-31T12:00:00Z", "2026-01-31t12:00:00.000z", "2026-01-31 14:00:00+02:00", NOON], ids=range(4)
)
def test_accepts_times_with_a_time_zone(value: object) -> None:
    assert ADAPTER.validate_python(value) == NOON


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0.5",
        "1769860800",
        0,
        0.5,
        True,
        None,
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-13-31T12:00:00Z",
        "2" * 99,
    ],
)
def test_refuses_numbers_dates_and_times_without_a_time_zone(value: object) -> None:
    with pytest.raises(ValidationError, match="Enter a date and time with a time zone"):
        ADAPTER.validate_python(value)


def test_is_a_date_time_in_the_schema() -> None:
    assert ADAPTER.json_schema()["format"] == "date-time"
