"""A simulation of queues: response times of an application with several processes, from measured service times.

    python -m load.queueing --rate 200 --service 12 --servers 4

Requests arrive at random (a Poisson process). Each waits for a free server: a process with its processor, or a
connection of a pool. Service times are random too, with an exponential distribution, or those of `--times FILE`, in
milliseconds, one per line.
"""

import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from load.run import percentile

REQUESTS: Final = 100_000
WARM_UP: Final = 5_000
"""The first requests find empty queues and are not counted."""
SEED: Final = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The result of a simulation. Times are in seconds.

    Attributes:
        utilisation: the share of time in which a server is busy. From 1 on, the queue grows without end.
    """

    utilisation: float
    p50: float
    p95: float
    p99: float


def simulate(*, rate: float, servers: int, times: Sequence[float], requests: int = REQUESTS) -> Outcome:
    """Simulate requests that arrive at random at one queue with several servers.

    Args:
        rate: requests per second.
        servers: how many requests are served at the same time.
        times: service times in seconds, of which one is drawn for each request. A single one is the mean of an
            exponential distribution.
    """
    random_numbers = random.Random(SEED)  # noqa: S311 - not for security
    free = [0.0] * servers
    now, served = 0.0, []
    for _ in range(requests + WARM_UP):
        now += random_numbers.expovariate(rate)
        service = random_numbers.choice(times) if len(times) > 1 else random_numbers.expovariate(1 / times[0])
        end = max(now, free[0]) + service
        heapq.heapreplace(free, end)
        served.append(end - now)
    counted = served[WARM_UP:]
    p50, p95, p99 = (percentile(counted, share) for share in (0.5, 0.95, 0.99))
    mean = sum(times) / len(times)
    return Outcome(utilisation=rate * mean / servers, p50=p50, p95=p95, p99=p99)


@click.command()
@click.option("--rate", type=click.FloatRange(0.1), required=True, help="Requests per second.")
@click.option(
    "--servers", type=click.IntRange(1, 10_000), required=True, help="Processes, or connections of all pools."
)
@click.option("--service", type=click.FloatRange(0.01), help="Mean service time in milliseconds.")
@click.option("--times", type=click.Path(exists=True, dir_okay=False), help="A file with measured service times.")
def main(*, rate: float, servers: int, service: float | None, times: str | None) -> None:
    """Print the utilisation and the response times."""
    if (service is None) == (times is None):
        raise click.UsageError("Give either --service or --times.")
    lines = [str(service)] if times is None else Path(times).read_text(encoding="utf-8").split()
    outcome = simulate(rate=rate, servers=servers, times=[float(line) / 1000 for line in lines])
    click.echo(f"utilisation {outcome.utilisation:.0%}")
    if outcome.utilisation >= 1:
        raise click.ClickException("Requests arrive faster than they can be served: the queue grows without end.")
    click.echo(f"p50 {outcome.p50 * 1000:.0f} ms, p95 {outcome.p95 * 1000:.0f} ms, p99 {outcome.p99 * 1000:.0f} ms")


if __name__ == "__main__":
    main(prog_name="python -m load.queueing")
