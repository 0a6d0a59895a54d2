"""The cost of metrics, tracing and Sentry: `python -m benchmarks.observability NONE METRICS TRACING SENTRY`.

The arguments are four projects that differ in these pieces only. Their servers run at the same time, and their list
routes take turns. A busy machine disturbs the share of the processor time per request least.
"""

import argparse
import contextlib
import os
import secrets
from pathlib import Path

from benchmarks import http

VARIANTS = ("none", "metrics", "tracing", "sentry")
PIECES = VARIANTS[1:]
GOALS = {"none": 1.0, "metrics": 0.95, "tracing": 0.9, "sentry": 0.95}
"""The shares of the throughput without any of them that issue 15 requires."""


def answers_of(variant: str) -> list[str]:
    """Return the arguments of `omnistack new` for a variant."""
    return [argument for piece in PIECES for argument in ("-d", f"{piece}={str(piece == variant).lower()}")]


def measure(folders: dict[str, Path], *, seconds: float = 2, rounds: int = 5) -> None:
    """Print the throughput of each variant as a share of the one without any of the pieces."""
    with contextlib.ExitStack() as stack:
        sink = stack.enter_context(http.running_server(_project(folders["none"], {}), "sink.py", "/"))
        settings = {
            "none": {},
            "metrics": {"METRICS_TOKEN": secrets.token_hex(32)},
            "tracing": {
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{http.HOST}:{sink.port}",
                "OTEL_TRACES_SAMPLER_ARG": "0.1",
            },
            "sentry": {
                "SENTRY_DSN": f"http://{'0' * 32}@{http.HOST}:{sink.port}/1",
                "SENTRY_TRACES_SAMPLE_RATE": "0.1",
            },
        }
        targets: list[http.Target] = []
        for variant in VARIANTS:
            project = _project(folders[variant], settings[variant])
            server = stack.enter_context(http.running_server(project, "rendered.py", f"{http.API}/public/health"))
            headers = http.fill_projects(project, server)
            path = f"{http.API}/app/projects"
            targets.append(http.Target(name=variant, server=server, path=path, goal=GOALS[variant], headers=headers))
        http.report(targets, http.take_turns(targets, seconds, rounds))


def _project(folder: Path, settings: dict[str, str]) -> http.Project:
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PROJECT_NAME": "Benchmark",
        "ENVIRONMENT": "local",
        "SECRET_KEY": secrets.token_hex(32),
        "RATE_LIMIT_DEFAULT": "off",
        **settings,
    }
    return http.Project(folder=folder, environment=environment)


def main() -> None:
    """Measure four rendered projects."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.observability", description=__doc__)
    for variant in VARIANTS:
        parser.add_argument(variant, type=Path, help="a rendered project after `uv sync`")
    parser.add_argument("--seconds", type=float, default=2, help="duration of a round")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds")
    options = parser.parse_args()
    folders = {variant: getattr(options, variant).resolve() for variant in VARIANTS}
    measure(folders, seconds=options.seconds, rounds=options.rounds)


if __name__ == "__main__":
    main()
