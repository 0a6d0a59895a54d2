"""A poisoned environment is restored, and a test that uses it is found."""

import os
import socket
import sys
from pathlib import Path

import pytest
from omnistack.suites.steps import Site, StepError
from omnistack.suites.tripwire import poisoned

EXAMPLE = "# Where\nDATABASE_URL=\nENVIRONMENT=local\nSHOP_KEY=abc\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    (tmp_path / ".env").write_text("SHOP_KEY=mine\n")
    return tmp_path


def test_every_setting_is_poisoned_in_both_places_and_the_file_is_restored(folder: Path) -> None:
    with poisoned(folder, {"SHOP_KEY": "mine", "PATH": "/bin"}) as (environment, wire):
        written = dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())
        assert environment == {**written, "PATH": "/bin"}
        assert written["DATABASE_URL"] == f"postgresql://poison:poison@127.0.0.1:{wire.port}/poison"
        assert written["ENVIRONMENT"] == "production"
    assert (folder / ".env").read_text() == "SHOP_KEY=mine\n"


def test_a_connection_to_what_is_named_there_is_counted(folder: Path) -> None:
    with poisoned(folder, {}) as (environment, wire):
        port = int(environment["DATABASE_URL"].rpartition(":")[2].partition("/")[0])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert connection.recv(1) == b""
    assert wire.connections == 1


def test_a_step_runs_with_it(folder: Path) -> None:
    code = "import os, sys; sys.exit(7 if os.environ['SHOP_KEY'].startswith('http://127.0.0.1:') else 0)"
    with poisoned(folder, os.environ) as (environment, _), pytest.raises(StepError, match="exited with 7"):
        Site(folder, environment).run(sys.executable, "-c", code)
