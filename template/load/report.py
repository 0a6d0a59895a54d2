"""The report in the terminal. Locust writes the HTML page."""

from collections.abc import Iterator, Sequence

from load.judgement import MEBIBYTE, Sample
from load.run import WARM_UP, Result


def table(result: Result) -> Iterator[str]:
    """Yield the lines of the table of routes. Times are in milliseconds."""
    width = max((len(route.name) for route in result.routes), default=0)
    yield f"{'':{width}} {'requests':>9} {'failed':>7} {'p50':>7} {'p95':>7} {'p99':>7} {'longest':>8}"
    for route in result.routes:
        times = "".join(f" {seconds * 1000:7.0f}" for seconds in (route.p50, route.p95, route.p99))
        yield f"{route.name:{width}} {route.requests:9} {route.failures:7}{times} {route.longest * 1000:8.0f}"


def resources(samples: Sequence[Sample], requests: int) -> Iterator[str]:
    """Yield the lines with the server's resources at the start, in the middle and at the end, and per request."""
    for name, sample in zip(
        ("start", "middle", "end"), (samples[0], samples[len(samples) // 2], samples[-1]), strict=True
    ):
        yield (
            f"{name:7} {sample.memory / MEBIBYTE:6.0f} MiB, {sample.descriptors} descriptors, "
            f"{sample.connections} connections to the database"
        )
    warm = next((sample for sample in samples if sample.at >= WARM_UP), samples[0])
    processor = samples[-1].processor - warm.processor
    yield f"{processor * 1000 / max(1, requests):.1f} ms of processor time per request"
