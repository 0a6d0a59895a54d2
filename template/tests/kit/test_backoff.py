"""The pause before another attempt."""

from datetime import timedelta

import pytest

from app.kit.backoff import backoff

FIRST, LONGEST = timedelta(seconds=15), timedelta(hours=1)


class TestBackoff:
    @pytest.mark.parametrize(
        ("attempt", "seconds"), [(1, 15), (2, 30), (3, 60), (8, 1920), (9, 3600), (10, 3600), (10_000, 3600)]
    )
    def test_doubles_up_to_the_maximum_minus_up_to_a_third(self, attempt: int, seconds: int) -> None:
        pauses = [backoff(attempt, first=FIRST, longest=LONGEST).total_seconds() for _ in range(200)]
        assert seconds * 2 / 3 <= min(pauses)
        assert max(pauses) <= seconds

    def test_differs_between_callers(self) -> None:
        assert len({backoff(1, first=FIRST, longest=LONGEST) for _ in range(20)}) > 1
