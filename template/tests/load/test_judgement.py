"""The judgement of runs, on measurements of healthy applications and of broken ones."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from load.judgement import (
    MEBIBYTE,
    Sample,
    judge_drift,
    judge_errors,
    judge_leaks,
    judge_thresholds,
    slope,
)
from load.run import LIMITED, WINDOW, Result, Route, Window

SECONDS, RATE, KEPT_REQUEST = 120, 30, 12_000
NOISE = random.Random(7)  # noqa: S311 - not for security


def result(*, p95: float = 0.1, failures: int = 0, limited: int = 0) -> Result:
    """Measurements of a run with one route."""

    def route(name: str, requests: int, failures: int) -> Route:
        return Route(
            name=name, scenario="a", requests=requests, failures=failures, p50=0.05, p95=p95, p99=0.2, longest=0.5
        )

    routes = (route("a: GET /x", SECONDS * RATE - limited, failures), route(f"a: POST /y{LIMITED}", limited, 0))
    return Result(routes=routes, windows=tuple(windows(lambda _: 0.2)), errors={"500": failures} if failures else {})


def windows(p99: Callable[[float], float]) -> list[Window]:
    count = int(SECONDS / WINDOW)
    return [Window(start=at * WINDOW, requests=int(RATE * WINDOW), p99=p99(at * WINDOW)) for at in range(count)]


def samples(
    memory: Callable[[float], float] = lambda _: 0.0,
    descriptors: Callable[[float], float] = lambda _: 0.0,
    connections: Callable[[float], float] = lambda _: 0.0,
) -> list[Sample]:
    """Samples of an application that warms up: its memory jumps by 15 MiB in the first 30 seconds."""
    return [
        Sample(
            at=at,
            memory=int(160 * MEBIBYTE + min(at, 30) / 30 * 15 * MEBIBYTE + NOISE.gauss(0, MEBIBYTE) + memory(at)),
            descriptors=int(60 + NOISE.gauss(0, 4) + descriptors(at)),
            connections=int(8 + connections(at)),
        )
        for at in range(0, SECONDS, 2)
    ]


def keep_requests(at: float) -> float:
    """The memory of an application that keeps every request."""
    return at * RATE * KEPT_REQUEST


def test_a_healthy_run_passes() -> None:
    assert judge_errors(result()) == []
    assert judge_thresholds(result(), {"a": 0.5}) == []
    assert judge_leaks(samples(), result()) == []
    assert judge_drift(result().windows) == []


def test_a_failed_request_fails_the_run() -> None:
    assert judge_errors(result(failures=2)) == ["2 of 3600 requests failed.", "  2 times 500"]


def test_a_run_without_requests_fails() -> None:
    nothing = Result(routes=(), windows=(), errors={})
    assert judge_errors(nothing)
    assert judge_drift(nothing.windows)


def test_a_slow_route_fails_the_run() -> None:
    (problem,) = judge_thresholds(result(p95=0.6), {"a": 0.5})
    assert problem == "a: GET /x: 95 % within 600 ms, more than 500 ms."


@pytest.mark.parametrize(("limited", "problems"), [(100, 0), (1000, 1)])
def test_a_run_that_measures_the_limits_fails(limited: int, problems: int) -> None:
    assert len(judge_thresholds(result(limited=limited), {"a": 0.5})) == problems


def test_an_application_that_keeps_requests_leaks() -> None:
    (problem,) = judge_leaks(samples(memory=keep_requests), result())
    assert problem.startswith("The memory grew by ")


def test_a_jump_of_the_memory_is_no_leak() -> None:
    assert judge_leaks(samples(memory=lambda at: 20 * MEBIBYTE if at > 100 else 0), result()) == []


@pytest.mark.parametrize("name", ["descriptors", "connections"])
def test_handles_that_are_never_closed_leak(name: str) -> None:
    grow: dict[str, Callable[[float], float]] = {name: lambda at: at / 3}
    (problem,) = judge_leaks(samples(**grow), result())
    assert problem.startswith(f"The number of {name} grew from ")


def test_a_run_that_is_too_short_is_not_judged_to_be_free_of_leaks() -> None:
    assert judge_leaks(samples()[:4], result()) == ["The run was too short to find leaks."]
    assert judge_drift(result().windows[:4])


def test_responses_that_become_slower_fail_the_run() -> None:
    (problem,) = judge_drift(windows(lambda at: 0.1 + at / 30))
    assert problem.startswith("The 99th percentile rose from ")


def test_responses_on_a_machine_that_becomes_slower_are_no_drift() -> None:
    slower = [replace(sample, pace=0.01 + sample.at / 3000) for sample in samples()]
    assert judge_drift(windows(lambda at: 0.1 + at / 30), slower) == []


def test_a_pause_of_the_machine_is_no_drift() -> None:
    assert judge_drift(windows(lambda at: 3.0 if at in {90.0, 95.0} else 0.2)) == []


def test_the_slope_is_not_moved_by_outliers() -> None:
    points = [(float(x), 2.0 * x) for x in range(20)]
    points[3], points[17] = (3.0, 900.0), (17.0, -900.0)
    assert slope(points) == pytest.approx(2.0, abs=0.01)
