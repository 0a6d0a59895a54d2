"""Rules, and the hash behind percentages."""

from itertools import pairwise
from typing import Any
from uuid import UUID, uuid5

import pytest
from pydantic import ValidationError

from app.feature_flags.rules import FlagRule, in_percentage, user_fraction

USERS = [uuid5(UUID(int=0), str(number)) for number in range(2000)]


def members(key: str, percentage: float) -> set[UUID]:
    return {user for user in USERS if in_percentage(key, user, percentage)}


class TestPercentage:
    @pytest.mark.parametrize(
        ("key", "user", "fraction"),
        [
            ("new-editor", UUID(int=0), 0.1344993942677244),
            ("new-editor", UUID("0197a1b2-0000-7000-8000-000000000001"), 0.725997006008594),
            ("beta.search", UUID("0197a1b2-0000-7000-8000-000000000001"), 0.4922047530194201),
        ],
        ids=str,
    )
    def test_never_changes_between_releases(self, key: str, user: UUID, fraction: float) -> None:
        assert user_fraction(key, user) == pytest.approx(fraction, abs=1e-12)

    def test_growing_it_never_removes_a_user(self) -> None:
        steps = [members("new-editor", percentage) for percentage in (0, 0.05, 1, 5, 25, 50, 99.9, 100)]

        assert all(before <= after for before, after in pairwise(steps))
        assert steps[0] == set()
        assert steps[-1] == set(USERS)

    @pytest.mark.parametrize("percentage", [1, 10, 50, 90])
    def test_contains_its_share_of_the_users(self, percentage: float) -> None:
        share = len(members("new-editor", percentage)) / len(USERS) * 100

        assert share == pytest.approx(percentage, abs=3)

    def test_flags_choose_independently(self) -> None:
        both = members("new-editor", 50) & members("new-search", 50)

        assert len(both) / len(USERS) == pytest.approx(0.25, abs=0.03)


class TestFlagRule:
    @pytest.mark.parametrize(
        "rule",
        [
            {},
            {"everyone": False},
            {"plans": []},
            {"everyone": True, "listed": True},
            {"everyone": True, "percentage": 100},
            {"percentage": -0.1},
            {"percentage": 100.1},
            {"percentage": "20"},
            {"percentage": True},
            {"percentage": float("nan")},
            {"plans": ["pro", "pro"]},
            {"plans": ["Pro"]},
            {"plans": ["x" * 51]},
            {"plans": [f"plan_{number}" for number in range(21)]},
            {"country": "de"},
        ],
        ids=lambda rule: str(rule)[:30],
    )
    def test_rejects_rules_that_would_match_by_mistake(self, rule: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            FlagRule.model_validate(rule)

    @pytest.mark.parametrize(
        "rule",
        [
            {"everyone": True},
            {"listed": True},
            {"percentage": 0},
            {"percentage": 12.5, "plans": ["pro", "team_2"], "listed": True},
        ],
        ids=str,
    )
    def test_accepts_conditions_and_combinations(self, rule: dict[str, Any]) -> None:
        assert FlagRule.model_validate(rule).model_dump(exclude_defaults=True, mode="json") == rule
