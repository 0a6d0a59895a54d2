"""The command of the load tests, without the requests."""

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from app.main import create_app
from load import queueing
from load.__main__ import BY_NAME, check_target, choose, main
from load.chosen import SCENARIOS
from load.local import clean_environment
from load.profiles import PROFILES, SPIKE, STEADY, Stage
from load.run import Result, Route, Run, Window, percentile
from load.scenario import Scenario
from tests.pages import FOLDER, run_examples

PATH = re.compile(r'"(?:GET|POST|PUT|PATCH|DELETE)",\s*f?"(/[^"?]*)')


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    (tmp_path / "tokens").write_text("token\n")
    return str(tmp_path / "tokens")


@pytest.mark.parametrize("url", ["https://api.example.com", "http://10.0.0.1:8000", "http://localhost.example.com"])
def test_another_machine_needs_a_flag(url: str, tokens: str) -> None:
    done = CliRunner().invoke(main, ["--url", url, "--tokens", tokens])
    assert done.exit_code == 1
    assert "is not this machine" in done.output


def test_a_running_server_needs_tokens() -> None:
    done = CliRunner().invoke(main, ["--url", "http://127.0.0.1:8000"])
    assert "--url needs --tokens" in done.output


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    done = CliRunner().invoke(main, ["publik"])
    assert "There is no scenario or profile publik." in done.output
    assert all(name in done.output for name in (*BY_NAME, *PROFILES))


def test_two_profiles_are_refused() -> None:
    assert "Choose one profile." in CliRunner().invoke(main, ["soak", "spike"]).output


def test_a_spike_has_five_times_the_users_and_ends() -> None:
    assert [stage.users for stage in SPIKE.stages(10, 100)] == [10, 50, 10]
    assert STEADY.stages(10, 100) == [Stage(until=100, users=10, rate=2.0)]


def test_every_path_of_a_scenario_is_a_route() -> None:
    folder = Path(main.callback.__code__.co_filename).with_name("scenarios")  # type: ignore[union-attr]
    paths = {path for file in folder.glob("*.py") for path in PATH.findall(file.read_text(encoding="utf-8"))}
    known = [re.sub(r"\{[^}]*\}", "[^/]+", path.removeprefix("/api/v1")) for path in create_app().openapi()["paths"]]
    known += ["/openapi.json", "/public/nowhere"]
    sample = [re.sub(r"\{[^}]*\}", "x", path) for path in paths]
    assert len(sample) >= 4
    assert [path for path in sample if not any(re.fullmatch(each, path) for each in known)] == []


def test_scenarios_have_different_names_and_steps() -> None:
    assert len(BY_NAME) == len(SCENARIOS)
    assert not BY_NAME.keys() & PROFILES.keys()
    assert all(scenario.steps and scenario.p95 > 0 for scenario in SCENARIOS)


def test_a_plan_and_its_measurements_survive_their_files(tmp_path: Path) -> None:
    run = Run(
        scenarios=("public",), stages=(Stage(until=5, users=1, rate=1),), prefix="/api/v1", tokens="t", result="r"
    )
    run.write(tmp_path / "run")
    assert Run.read(tmp_path / "run") == run
    route = Route(name="a", scenario="public", requests=1, failures=0, p50=1, p95=1, p99=1, longest=1)
    result = Result(routes=(route,), windows=(Window(start=0, requests=1, p99=1),), errors={"a": 1})
    result.write(tmp_path / "result")
    assert Result.read(tmp_path / "result") == result


def test_percentiles_of_nothing_and_of_something() -> None:
    assert percentile([], 0.99) == 0.0
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0


def test_no_setting_of_this_machine_reaches_the_local_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "secret")
    with clean_environment(tmp_path, {"RATE_LIMIT_X": "off"}):
        assert "SOME_API_KEY" not in os.environ
        assert os.environ["RATE_LIMIT_X"] == "off"
        assert Path.cwd() == tmp_path
    assert os.environ["SOME_API_KEY"] == "secret"
    assert Path.cwd() != tmp_path


def commands(program: str) -> list[list[str]]:
    """Return the arguments of each call of a program on the page."""
    page = (FOLDER / "load-tests.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in re.findall(rf"^{re.escape(program)}(?: (.*))?$", page, re.MULTILINE)]
    return [[word for part in line for word in part.removeprefix("ARGS=").split()] for line in lines]


def test_the_commands_of_the_page_are_valid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tokens.txt").write_text("token\n")
    calls = commands("make load") + commands("uv run --group load python -m load")
    assert len(calls) >= 6
    for arguments in calls:
        if arguments == ["--help"]:
            assert CliRunner().invoke(main, arguments).exit_code == 0
            continue
        options = main.make_context("load", arguments).params
        choose(options["names"])
        check_target(options["url"], options["tokens"], allow_remote=options["allow_remote"])


def test_the_commands_of_the_page_that_simulate_run() -> None:
    (arguments,) = commands("uv run python -m load.queueing")
    assert CliRunner().invoke(queueing.main, arguments).exit_code == 0


def test_the_example_of_the_page_is_a_scenario() -> None:
    names: dict[str, Any] = {}
    assert run_examples("load-tests.md", names) == 1
    assert isinstance(names["scenario"], Scenario)
