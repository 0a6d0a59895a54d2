"""Which traces are recorded, and that strangers cannot have all of theirs recorded."""

from app.core.context import TraceIds
from app.tracing.sampling import Sampler

ASKS = TraceIds(trace_id="0" * 31 + "1", span_id="0" * 15 + "2", sampled=True)
DECLINES = TraceIds(trace_id="0" * 31 + "1", span_id="0" * 15 + "2", sampled=False)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sampler(ratio: float, per_second: float, *, draw: float = 0.5, clock: Clock | None = None) -> Sampler:
    return Sampler(ratio, per_second, clock=clock or Clock(), draw=lambda: draw)


def test_the_ratio_decides_without_a_parent() -> None:
    assert sampler(0.6, 1).samples_request(None)
    assert not sampler(0.4, 1).samples_request(None)
    assert not sampler(0, 1, draw=0).samples_request(None)
    assert sampler(1, 1, draw=0.999999).samples_request(None)


def test_a_parent_that_is_not_recorded_decides() -> None:
    assert not sampler(1, 1).samples_request(DECLINES)


def test_parents_are_recorded_up_to_the_budget() -> None:
    clock = Clock()
    tested = sampler(0, 2, clock=clock)
    assert [tested.samples_request(ASKS) for _ in range(4)] == [True, True, False, False]
    clock.now += 0.5
    assert [tested.samples_request(ASKS) for _ in range(2)] == [True, False]
    clock.now += 3600
    assert sum(tested.samples_request(ASKS) for _ in range(100)) == 2


def test_beyond_the_budget_the_ratio_decides_and_not_the_trace_id() -> None:
    tested = Sampler(0.1, 0)
    assert 30 < sum(tested.samples_request(ASKS) for _ in range(1000)) < 250


def test_work_follows_the_trace_that_it_links_to() -> None:
    assert sampler(0, 0).samples_work(ASKS)
    assert not sampler(1, 1).samples_work(DECLINES)
    assert sampler(1, 0).samples_work(None)
