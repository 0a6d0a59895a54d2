"""The simulation of queues, against formulas and against the figures of the documentation."""

import math
import re

import pytest
from click.testing import CliRunner

from load.queueing import main, simulate
from tests.pages import FOLDER

ROW = re.compile(r"^\| (\d+)/s \| (\d+) ms \| (\d+) \| (\d+) % \| (\d+) ms \| (\d+) ms \| (\d+) ms \|$", re.MULTILINE)


def test_one_server_is_as_the_formula_says() -> None:
    outcome = simulate(rate=50, servers=1, times=[0.01])
    assert outcome.utilisation == pytest.approx(0.5)
    # M/M/1: response times are exponential, with the mean 1 / (service rate - arrival rate).
    assert outcome.p99 == pytest.approx(math.log(100) / (100 - 50), rel=0.05)
    assert outcome.p50 == pytest.approx(math.log(2) / (100 - 50), rel=0.05)


def test_measured_times_are_drawn() -> None:
    outcome = simulate(rate=1, servers=2, times=[0.01, 0.5])
    assert outcome.p50 in {0.01, 0.5}
    assert outcome.p99 == pytest.approx(0.5, rel=0.6)


def test_the_figures_of_the_page_are_those_of_the_simulation() -> None:
    rows = ROW.findall((FOLDER / "scaling.md").read_text(encoding="utf-8"))
    assert len(rows) >= 6
    for row in rows:
        rate, service, servers, utilisation, *times = map(int, row)
        outcome = simulate(rate=rate, servers=servers, times=[service / 1000])
        assert [round(outcome.utilisation * 100), *times] == [
            utilisation,
            *(round(seconds * 1000) for seconds in (outcome.p50, outcome.p95, outcome.p99)),
        ], row


def test_the_command_prints_response_times_or_says_that_it_is_too_much() -> None:
    runner = CliRunner()
    done = runner.invoke(main, ["--rate", "60", "--service", "12", "--servers", "1"])
    assert re.fullmatch(r"utilisation 72%\np50 \d+ ms, p95 \d+ ms, p99 \d+ ms\n", done.output)
    assert runner.invoke(main, ["--rate", "90", "--service", "12", "--servers", "1"]).exit_code == 1
    assert runner.invoke(main, ["--rate", "90", "--servers", "1"]).exit_code == 2
