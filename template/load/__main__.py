"""The command of the load tests: `python -m load [SCENARIO|PROFILE]…`."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from app.kit.user_error import UserError
from load.chosen import SCENARIOS
from load.judgement import Sample, judge_drift, judge_errors, judge_leaks, judge_thresholds
from load.profiles import PROFILES, STEADY, Profile
from load.report import resources, table
from load.run import RUN_VARIABLE, Result, Run
from load.scenario import Scenario

PROJECT: Final = Path(__file__).resolve().parents[1]
REPORTS: Final = PROJECT / ".local" / "load"
BY_NAME: Final = {scenario.name: scenario for scenario in SCENARIOS}
PREFIX: Final = "/api/v1"


@click.command()
@click.argument("names", nargs=-1, metavar="[SCENARIO|PROFILE]…")
@click.option("--users", type=click.IntRange(1), help="Number of users. By default, the profile's.")
@click.option("--seconds", type=click.FloatRange(5), help="Duration. By default, the profile's.")
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes of the server.")
@click.option("--url", help="Base URL of a running server. By default, a server is started, with fakes of providers.")
@click.option("--tokens", type=click.Path(exists=True, dir_okay=False), help="Bearer tokens for --url, one per line.")
@click.option("--prefix", default=PREFIX, show_default=True, help="The prefix of the paths of --url, API_V1_STR.")
@click.option("--allow-remote", is_flag=True, help="Send the load to another machine than this one.")
@click.option("--p95", type=click.FloatRange(0.001), help="Threshold in seconds, instead of that of each scenario.")
def main(
    *,
    names: Sequence[str],
    users: int | None,
    seconds: float | None,
    workers: int,
    url: str | None,
    tokens: str | None,
    prefix: str,
    allow_remote: bool,
    p95: float | None,
) -> None:
    """Send requests as many users do, print response times, and exit with 1 if the run fails."""
    try:
        profile, scenarios = choose(names)
        check_target(url, tokens, allow_remote=allow_remote)
        thresholds = {one.name: p95 or one.p95 * profile.p95_factor for one in scenarios}
        stages = tuple(profile.stages(users or profile.users, seconds or profile.seconds))
        REPORTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="load-") as name:
            folder = Path(name)
            run = Run(
                scenarios=tuple(one.name for one in scenarios),
                stages=stages,
                prefix=prefix,
                tokens=str(Path(tokens).resolve() if tokens else folder / "tokens"),
                result=str(folder / "result.json"),
            )
            samples = _run(run, folder, url, workers=workers, settings=_settings(scenarios))
            result = Result.read(Path(run.result))
    except UserError as error:
        raise click.ClickException(str(error)) from None
    problems = _judge(profile, result, samples, thresholds)
    _print(result, samples, problems)
    sys.exit(1 if problems else 0)


def choose(names: Sequence[str]) -> tuple[Profile, list[Scenario]]:
    """Return the profile and the scenarios: without names, all of them, at a steady load."""
    unknown = [name for name in names if name not in PROFILES and name not in BY_NAME]
    if unknown:
        known = ", ".join([*BY_NAME, *PROFILES])
        raise UserError(f"There is no scenario or profile {', '.join(unknown)}. Choose from: {known}.")
    profiles = [PROFILES[name] for name in names if name in PROFILES]
    if len(profiles) > 1:
        raise UserError("Choose one profile.")
    return profiles[0] if profiles else STEADY, [BY_NAME[name] for name in names if name in BY_NAME] or SCENARIOS


def check_target(url: str | None, tokens: str | None, *, allow_remote: bool) -> None:
    """Refuse a target that is not this machine, unless it is meant."""
    if url is None:
        return
    if tokens is None:
        raise UserError("--url needs --tokens: a file with bearer tokens of test accounts, one per line.")
    host = urlsplit(url).hostname or ""
    if not allow_remote and not _is_this_machine(host):
        raise UserError(
            f"{host} is not this machine. A load test can make a server unusable, send emails and cost money. "
            "If its owner agrees and it does not serve customers, add --allow-remote."
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _settings(scenarios: Sequence[Scenario]) -> dict[str, str]:
    return {name: value for scenario in scenarios for name, value in scenario.settings.items()}


def _run(run: Run, folder: Path, url: str | None, *, workers: int, settings: Mapping[str, str]) -> list[Sample]:
    """Run Locust against the server, and return the samples of a local one."""
    if url is not None:
        _send(run, folder, url)
        return []
    from load import local  # noqa: PLC0415 - the application is needed for a local server only
    from load.monitor import sampled  # noqa: PLC0415 - likewise

    with ExitStack() as stack:
        stack.enter_context(local.clean_environment(folder, settings))
        stack.callback(local.keep_log, folder, REPORTS / "server.log")
        server = stack.enter_context(local.local_server(folder, workers=workers, say=click.echo))
        local.write_tokens(Path(run.tokens))
        samples = stack.enter_context(sampled(server.process.pid, server.database))
        _send(run, folder, server.url)
    return samples


def _send(run: Run, folder: Path, url: str) -> None:
    """Run Locust to its end."""
    plan = folder / "run.json"
    run.write(plan)
    locustfile = str(Path(__file__).with_name("locustfile.py"))
    report = str(REPORTS / "report.html")
    command = [sys.executable, "-m", "locust", "--locustfile", locustfile, "--headless", "--host", url]
    command += ["--html", report, "--loglevel", "WARNING", "--only-summary", "--stop-timeout", "10"]
    environment = {**os.environ, RUN_VARIABLE: str(plan), "PYTHONPATH": str(PROJECT)}
    log = REPORTS / "locust.log"
    with log.open("wb") as output:
        done = subprocess.run(  # noqa: S603 - our own command line
            command, env=environment, cwd=folder, stdout=output, stderr=output, check=False
        )
    if not Path(run.result).exists():
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:]
        raise UserError("\n".join([f"Locust ended with {done.returncode} and measured nothing:", *lines]))


def _judge(profile: Profile, result: Result, samples: Sequence[Sample], p95: Mapping[str, float]) -> list[str]:
    problems = [*judge_errors(result), *judge_thresholds(result, p95)]
    if profile.judges_leaks:
        problems += judge_drift(result.windows, samples)
        problems += judge_leaks(samples, result) if samples else []
    return problems


def _print(result: Result, samples: Sequence[Sample], problems: Sequence[str]) -> None:
    lines = [*table(result), ""]
    lines += [*resources(samples, result.requests), ""] if samples else []
    lines += [f"{result.requests} requests; charts in {REPORTS.relative_to(PROJECT) / 'report.html'}"]
    lines += [*(f"FAILED: {problem}" for problem in problems)] or ["Passed."]
    click.echo("\n".join(lines))


if __name__ == "__main__":
    main(prog_name="python -m load")
