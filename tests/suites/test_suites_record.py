"""The record of passes, and the schedule."""

from dataclasses import replace
from pathlib import Path

import pytest
from omnistack.shell.errors import OmniError
from omnistack.suites.record import Entry, Record
from omnistack.suites.schedule import Candidate, Schedule

ENTRY = Entry(
    digest="d1",
    name="one",
    answers={"auth": "clerk", "redis": True},
    python="3.12.4",
    commit="0123456789",
    date="2026-11-27",
    seconds=60,
)


def pairs(*names: str) -> frozenset[tuple[tuple[str, str], ...]]:
    return frozenset(((name, name),) for name in names)


def test_what_is_entered_is_read_again(tmp_path: Path) -> None:
    record = Record.read(tmp_path / "new/record.json")
    record.add(ENTRY)
    record.add(replace(ENTRY, digest="d2", name="another"))
    again = Record.read(tmp_path / "new/record.json")
    assert list(again) == [replace(ENTRY, digest="d2", name="another"), ENTRY]
    assert str(again.entries["d1"]) == "executed at commit 0123456 on 2026-11-27"


def test_a_failure_is_removed(tmp_path: Path) -> None:
    record = Record.read(tmp_path / "record.json")
    record.add(ENTRY)
    record.remove("d1")
    record.remove("unknown")
    assert list(Record.read(tmp_path / "record.json")) == []


def test_a_broken_file_is_refused(tmp_path: Path) -> None:
    for text in ("[", '[{"digest": "d1"}]', "[7]"):
        (tmp_path / "record.json").write_text(text)
        with pytest.raises(OmniError, match="is not a record"):
            Record.read(tmp_path / "record.json")


def test_of_two_entries_the_later_one_stays(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.json", {"d1": ENTRY})
    record.merge([replace(ENTRY, date="2026-11-28"), replace(ENTRY, digest="d2")])
    record.merge([replace(ENTRY, date="2026-11-01")])
    assert record.entries["d1"].date == "2026-11-28"
    assert record.entries.keys() == {"d1", "d2"}


def test_a_cell_is_expected_to_take_as_long_as_last_time(tmp_path: Path) -> None:
    later = replace(ENTRY, digest="d2", date="2026-11-28", seconds=90)
    other = replace(ENTRY, digest="d3", answers={"auth": "custom"}, seconds=200)
    record = Record(tmp_path / "record.json", {entry.digest: entry for entry in (ENTRY, later, other)})
    assert record.estimate(ENTRY.answers) == 90
    assert record.estimate({"auth": "supabase"}) == 200


def test_without_a_budget_everything_runs_the_largest_first() -> None:
    schedule = Schedule({"a": Candidate(pairs("x"), 60, 1), "b": Candidate(pairs(), 60, 3)}, frozenset())
    assert [schedule.next(), schedule.next(), schedule.next()] == ["b", "a", None]


def test_with_a_budget_the_most_uncovered_pairs_come_first() -> None:
    candidates = {
        "known": Candidate(pairs("a", "b", "c", "d"), 10, 9),
        "most": Candidate(pairs("x", "y", "z"), 10, 1),
        "same": Candidate(pairs("x", "y"), 10, 9),
        "rest": Candidate(pairs("w"), 10, 1),
    }
    schedule = Schedule(candidates, pairs("a", "b", "c", "d"), deadline=100, clock=lambda: 0)
    assert [schedule.next() for _ in range(5)] == ["most", "rest", "known", "same", None]


def test_pairs_that_were_never_executed_come_before_all_others() -> None:
    candidates = {"changed": Candidate(pairs("x", "y", "z"), 10, 9), "new": Candidate(pairs("w"), 10, 1)}
    schedule = Schedule(candidates, frozenset(), executed=pairs("x", "y", "z"), deadline=100, clock=lambda: 0)
    assert [schedule.next(), schedule.next()] == ["new", "changed"]


def test_no_cell_starts_that_would_not_end_in_time() -> None:
    now = 0.0
    candidates = {"long": Candidate(pairs("x", "y"), 90, 1), "short": Candidate(pairs("z"), 40, 1)}
    schedule = Schedule(candidates, frozenset(), deadline=100, clock=lambda: now)
    assert schedule.next() == "long"
    now = 70.0
    assert schedule.next() is None
    assert list(schedule.left) == ["short"]


def test_a_slower_machine_is_taken_into_account() -> None:
    now = 0.0
    candidates = {name: Candidate(pairs(name), 40, 1) for name in "abc"}
    schedule = Schedule(candidates, frozenset(), deadline=200, clock=lambda: now)
    first = schedule.next()
    assert first is not None
    schedule.ended(first, 120)
    now = 120.0
    assert schedule.next() is None
    now = 70.0
    assert schedule.next() is not None
