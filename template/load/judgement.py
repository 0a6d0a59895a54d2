"""The judgement of a run: errors, thresholds, leaks and drift. Each function returns the reasons for failure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from load.run import LIMITED, Result, Window

MEBIBYTE: Final = 1024**2
MAX_LIMITED_SHARE: Final = 0.2
"""Share of refused requests from which a run measures the limits rather than the application."""
MIN_ROUTE_REQUESTS: Final = 20
"""A route with fewer requests has no threshold: one slow request would decide."""
WARM_UP_SHARE: Final = 0.35
"""Share of a run in which caches, pools and the allocator fill: it is not judged for leaks and drift."""
MIN_GROWTH: Final = 8 * MEBIBYTE
"""Growth of the memory over the judged part below which there is no leak."""
MIN_GROWTH_PER_REQUEST: Final = 1536
"""Bytes per request below which there is no leak. A request that is kept takes several kilobytes."""
MAX_MORE_HANDLES: Final = 10
"""Connections or descriptors by which the last quarter may exceed the first one of the judged part."""
MAX_DRIFT_FACTOR: Final = 1.6
MIN_DRIFT_SECONDS: Final = 1.0
"""A drift below this is noise of a busy machine."""
MIN_WINDOWS: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The state of the server at a moment.

    Attributes:
        at: seconds since the start of the run.
        memory: resident bytes of all its processes.
        descriptors: open files and sockets.
        connections: connections to the database.
        processor: seconds of processor time since the server's start.
        pace: seconds that a fixed amount of work took on this machine, whatever else it does.
    """

    at: float
    memory: int
    descriptors: int
    connections: int
    processor: float = 0.0
    pace: float = 1.0


def judge_errors(result: Result) -> list[str]:
    """Return the errors, and whether anything was measured at all."""
    failures = sum(route.failures for route in result.routes)
    if not result.requests:
        return ["No request was answered."]
    if not failures:
        return []
    most = sorted(result.errors.items(), key=lambda item: -item[1])[:5]
    return [f"{failures} of {result.requests} requests failed.", *(f"  {count} times {error}" for error, count in most)]


def judge_thresholds(result: Result, p95: Mapping[str, float]) -> list[str]:
    """Return the routes that are slower than the threshold of their scenario.

    Args:
        p95: seconds, by scenario.
    """
    limited = sum(route.requests for route in result.routes if route.name.endswith(LIMITED))
    problems = [
        f"{route.name}: 95 % within {route.p95 * 1000:.0f} ms, more than {p95[route.scenario] * 1000:.0f} ms."
        for route in result.routes
        if route.requests >= MIN_ROUTE_REQUESTS and not route.name.endswith(LIMITED) and route.p95 > p95[route.scenario]
    ]
    if limited > MAX_LIMITED_SHARE * result.requests:
        problems.append(
            f"{limited} of {result.requests} requests were refused by a rate limit or a plan: the run measured the "
            "limits. Use more accounts, or a plan with higher limits."
        )
    return problems


def judge_leaks(samples: Sequence[Sample], result: Result) -> list[str]:
    """Return what grew and did not stop growing after the warm-up."""
    judged = _judged(samples)
    if len(judged) < MIN_WINDOWS:
        return ["The run was too short to find leaks."]
    seconds = judged[-1].at - judged[0].at
    growth = slope([(sample.at, sample.memory) for sample in judged]) * seconds
    requests = sum(window.requests for window in result.windows if window.start >= judged[0].at) or 1
    problems = []
    if growth > MIN_GROWTH and growth / requests > MIN_GROWTH_PER_REQUEST:
        problems.append(
            f"The memory grew by {growth / MEBIBYTE:.0f} MiB in {seconds:.0f} s, {growth / requests:.0f} B a request."
        )
    quarter = max(1, len(judged) // 4)
    for name in ("descriptors", "connections"):
        first, last = (
            statistics.median(getattr(sample, name) for sample in part)
            for part in (judged[:quarter], judged[-quarter:])
        )
        trend = slope([(sample.at, getattr(sample, name)) for sample in judged]) * seconds
        if min(last - first, trend) > MAX_MORE_HANDLES:
            problems.append(f"The number of {name} grew from {first:.0f} to {last:.0f} and did not stop.")
    return problems


def judge_drift(windows: Sequence[Window], samples: Sequence[Sample] = ()) -> list[str]:
    """Return whether responses became slower from the first to the last third of the judged part.

    The medians of windows are compared, so that a pause of the machine in some windows decides nothing. If the whole
    machine became slower, as the samples show, the responses may be slower by the same factor.
    """
    if not windows:
        return ["No request was answered."]
    judged = [window for window in windows if window.start >= windows[-1].start * WARM_UP_SHARE]
    if len(judged) < MIN_WINDOWS:
        return ["The run was too short to find a drift of the response times."]
    third = len(judged) // 3
    first, last = (statistics.median(window.p99 for window in part) for part in (judged[:third], judged[-third:]))
    rise = slope([(window.start, window.p99) for window in judged]) * (judged[-1].start - judged[0].start)
    if last > first * MAX_DRIFT_FACTOR * _slowdown(samples) and min(last - first, rise) > MIN_DRIFT_SECONDS:
        return [f"The 99th percentile rose from {first * 1000:.0f} ms to {last * 1000:.0f} ms."]
    return []


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the median of the slopes between all pairs of points (Theil and Sen), which outliers do not move."""
    slopes = [(y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2) if x1 != x2]
    return statistics.median(slopes) if slopes else 0.0


def _judged(samples: Sequence[Sample]) -> list[Sample]:
    end = samples[-1].at if samples else 0.0
    return [sample for sample in samples if sample.at >= end * WARM_UP_SHARE]


def _slowdown(samples: Sequence[Sample]) -> float:
    """Return the factor by which the machine became slower from the first to the last third of the judged part."""
    paces = [sample.pace for sample in _judged(samples)]
    third = len(paces) // 3
    return max(1.0, statistics.median(paces[-third:]) / statistics.median(paces[:third])) if third else 1.0
