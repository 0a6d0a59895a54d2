# mypy: disable-error-code="import-not-found, misc, no-untyped-call"
"""Locust runs the scenarios: `python -m load` starts it. Only this file imports Locust."""

import itertools
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Unpack, override

from locust import FastHttpUser, LoadTestShape, between, events
from locust.env import Environment

from load.chosen import SCENARIOS
from load.run import LIMITED, RUN_VARIABLE, WARM_UP, WINDOW, Result, Route, Run, Window, percentile
from load.scenario import RequestOptions, Scenario, Step, StepStoppedError

RUN: Final = Run.read(Path(os.environ[RUN_VARIABLE]))
TOKENS: Final = itertools.cycle(Path(RUN.tokens).read_text(encoding="utf-8").split())
PAYMENT_REQUIRED, TOO_MANY_REQUESTS, NO_CONTENT = 402, 429, 204
MAX_WAIT: Final = 30.0
"""Seconds. The longest wait that a response with Retry-After can ask for."""
TIMES: Final[dict[tuple[str, str], list[float]]] = defaultdict(list)
FAILURES: Final[dict[tuple[str, str], int]] = defaultdict(int)
ERRORS: Final[dict[str, int]] = defaultdict(int)
ENDED: Final[list[tuple[float, float]]] = []
"""The time and the duration of each request."""
BEGAN: Final[list[float]] = [0.0]
"""The last item is the time at which the test started."""


class ScenarioUser(FastHttpUser):
    """A simulated user. It implements `load.scenario.Session`."""

    abstract = True
    scenario: Scenario
    network_timeout = connection_timeout = 30.0

    @override
    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.url = f"{str(self.host).rstrip('/')}{RUN.prefix}"
        self.token = next(TOKENS)
        self.state: dict[str, Any] = {}

    @override
    def on_stop(self) -> None:
        if self.scenario.stop is not None:
            self.scenario.stop(self)

    def send(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Any:  # noqa: ANN401 - JSON
        """See `Session.send`."""
        token = {} if options.get("anonymous") else {"Authorization": f"Bearer {self.token}"}
        body: dict[str, Any] = {"json": options["json"]} if "json" in options else {"data": options.get("content")}
        expected = options.get("expected", (200,))
        with self.client.request(
            method,
            path if path.startswith("http") else f"{self.url}{path}",
            name=f"{self.scenario.name}: {method} {options.get('name', path)}",
            headers={**options.get("headers", {}), **token},
            catch_response=True,
            allow_redirects=False,
            context={"scenario": self.scenario.name},
            **body,
        ) as response:
            status = response.status_code
            if status in expected:
                response.success()
                is_json = "json" in response.headers.get("content-type", "") and status != NO_CONTENT
                return response.json() if is_json else None
            if status in {PAYMENT_REQUIRED, TOO_MANY_REQUESTS}:
                response.request_meta["name"] += LIMITED
                response.success()
            else:
                response.failure(f"{status}, not {expected}: {(response.text or str(response.error))[:200]}")
        if status == PAYMENT_REQUIRED:
            # The plan of this account allows no more: the user continues with another account.
            self.token = next(TOKENS)
            self.state.clear()
        elif status == TOO_MANY_REQUESTS:
            time.sleep(min(MAX_WAIT, float(response.headers.get("retry-after", 1))))
        raise StepStoppedError

    def measure[T](self, name: str, action: Callable[[], T]) -> T:
        """See `Session.measure`."""
        began = time.perf_counter()
        error: Exception | None = None
        try:
            return action()
        except Exception as raised:
            error = raised
            raise StepStoppedError from raised
        finally:
            self.environment.events.request.fire(
                request_type="",
                name=f"{self.scenario.name}: {name}",
                response_time=(time.perf_counter() - began) * 1000,
                response_length=0,
                exception=error,
                context={"scenario": self.scenario.name},
            )


def task(step: Step) -> Callable[[ScenarioUser], None]:
    """Return a step as a task of Locust, which ends at the first failed request."""

    def run(user: ScenarioUser) -> None:
        with suppress(StepStoppedError):
            step(user)

    run.__name__ = step.__name__
    return run


def user_class(scenario: Scenario) -> type[ScenarioUser]:
    """Return the class of a scenario's users."""
    tasks = {task(step): weight for step, weight in scenario.steps.items()}
    attributes = {
        "scenario": scenario,
        "tasks": tasks,
        "weight": scenario.weight,
        "wait_time": between(*scenario.pause),
        "abstract": False,
    }
    return type(f"{scenario.name.title()}User", (ScenarioUser,), attributes)


# Locust looks for classes among the names of this file.
globals().update({each.name: user_class(each) for each in SCENARIOS if each.name in RUN.scenarios})


class Stages(LoadTestShape):
    """The number of users over time."""

    @override
    def tick(self) -> tuple[int, float] | None:
        """Return the number of users and the rate of change, or `None` at the end."""
        now = self.get_run_time()
        return next(((stage.users, stage.rate) for stage in RUN.stages if now < stage.until), None)


def record(
    name: str, response_time: float, exception: BaseException | None, context: Mapping[str, str], **_: object
) -> None:
    """Record a request."""
    key = (context.get("scenario", ""), name)
    if exception is None and time.monotonic() < BEGAN[-1] + WARM_UP:
        return
    seconds = response_time / 1000
    TIMES[key].append(seconds)
    if exception is not None:
        FAILURES[key] += 1
        ERRORS[f"{name}: {exception}"] += 1
    if not name.endswith(LIMITED):
        ENDED.append((time.monotonic(), seconds))


def begin(environment: Environment, **_: object) -> None:
    """Note the time."""
    BEGAN.append(time.monotonic())
    # A run's thresholds decide whether it failed, not single requests.
    environment.process_exit_code = 0


def write_result(**_: object) -> None:
    """Write the measurements."""
    by_window: dict[int, list[float]] = defaultdict(list)
    for ended, seconds in ENDED:
        by_window[int((ended - BEGAN[-1]) / WINDOW)].append(seconds)
    windows = tuple(
        Window(start=number * WINDOW, requests=len(times), p99=percentile(times, 0.99))
        for number, times in sorted(by_window.items())
    )
    routes = tuple(_route(*key, times, FAILURES[key]) for key, times in sorted(TIMES.items()))
    Result(routes=routes, windows=windows, errors=dict(ERRORS)).write(Path(RUN.result))


def _route(scenario: str, name: str, times: list[float], failures: int) -> Route:
    p50, p95, p99 = (percentile(times, share) for share in (0.5, 0.95, 0.99))
    return Route(
        name=name,
        scenario=scenario,
        requests=len(times),
        failures=failures,
        p50=p50,
        p95=p95,
        p99=p99,
        longest=max(times),
    )


events.request.add_listener(record)
events.test_start.add_listener(begin)
events.test_stop.add_listener(write_result)
