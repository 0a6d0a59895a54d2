"""A share of the transactions is reported, up to a number per second."""

from app.sentry.sampling import Sampler


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_rate_decides() -> None:
    assert Sampler(0.6, 1, draw=lambda: 0.5).samples_transaction()
    assert not Sampler(0.4, 1, draw=lambda: 0.5).samples_transaction()
    assert not Sampler(0, 1, draw=lambda: 0.0).samples_transaction()


def test_no_more_than_the_limit_per_second() -> None:
    clock = Clock()
    sampler = Sampler(1, 2, clock=clock)
    assert [sampler.samples_transaction() for _ in range(4)] == [True, True, False, False]
    clock.now += 0.5
    assert [sampler.samples_transaction() for _ in range(2)] == [True, False]
    clock.now += 60
    assert [sampler.samples_transaction() for _ in range(4)] == [True, True, False, False]
