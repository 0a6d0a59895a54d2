"""`--start`: the server of a project, here a stand-in that speaks HTTP on the port that it is given."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from omnistack.new.serve import HOST, free_port

STAND_IN = """\
#!{python}
import http.server, os, sys, threading
from pathlib import Path

if sys.argv[1] == "token":
    sys.exit("no tokens here") if Path("no-token").exists() else print("made-for-" + sys.argv[3])
elif Path("broken").exists():
    sys.exit("error: the settings are wrong")
else:
    started = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            started.append(self.path)
            # Not ready at first: a server answers before its database does.
            self.send_response(200 if len(started) > 3 and self.path == "/api/v1/public/health/ready" else 503)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = http.server.HTTPServer(("127.0.0.1", int(sys.argv[3])), Handler)
    print("serving", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        Path("stopped").write_text("tidily")
        Path("group").write_text(str(os.getpgrp()))
"""
START = """\
from pathlib import Path
from omnistack import cli
from omnistack.new import serve
cli.app.command("go")(lambda: serve.start(Path(), "me@example.com"))
cli.main()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A synced project."""
    app = tmp_path / ".venv/bin/app"
    app.parent.mkdir(parents=True)
    app.write_text(STAND_IN.format(python=sys.executable))
    app.chmod(0o755)
    return tmp_path


def go(project: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", START, "go"],
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "PYTHONUNBUFFERED": "1"},
        start_new_session=True,
    )


def read_until(process: subprocess.Popen[str], text: str) -> str:
    read = ""
    for line in process.stdout or ():
        read += line
        if text in line:
            return read
    raise AssertionError(f"{text!r} was not said: {read}{process.stderr.read() if process.stderr else ''}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_call_the_server_and_ends_it(project: Path, number: signal.Signals) -> None:
    with go(project) as process:
        shown = read_until(process, "Ctrl-C")
        url = re.search(r"Ready: (http://127\.0\.0\.1:\d+)", shown)
        assert url
        assert f'curl -H "Authorization: Bearer made-for-me@example.com" {url[1]}/api/v1/app/users/me' in shown
        # A terminal sends Ctrl-C to all processes of the group.
        os.killpg(process.pid, number)
        rest = process.communicate(timeout=30)[0]
        assert process.returncode == {signal.SIGINT: 0, signal.SIGTERM: 143}[number]
    if number == signal.SIGINT:
        assert f"cd {project}\n  uv run app dev\n" in rest
    assert (project / "stopped").read_text() == "tidily"
    assert (project / "group").read_text() != str(process.pid), "the server must be interrupted only once"


def test_without_a_token_there_is_a_request_that_needs_none(project: Path) -> None:
    (project / "no-token").touch()
    with go(project) as process:
        shown = read_until(process, "curl")
        assert "No access token: " in shown
        assert "no tokens here" in shown
        assert "/api/v1/public/health/ready" in shown
        process.send_signal(signal.SIGINT)


def test_a_server_that_ends_is_one_line_with_its_last_words(project: Path) -> None:
    (project / "broken").touch()
    with go(project) as process:
        out, err = process.communicate(timeout=30)
    assert process.returncode == 1
    assert err.startswith("error: the server stopped: error: the settings are wrong. ")
    assert "uv run app dev --port" in err
    assert out == ""


def test_a_project_without_packages_is_one_line(project: Path) -> None:
    (project / ".venv/bin/app").unlink()
    with go(project) as process:
        _, err = process.communicate(timeout=30)
    assert err.startswith("error: the server could not be started: No such file")
    assert err.count("\n") == 1


def test_a_taken_port_is_passed_over() -> None:
    first = free_port()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, first))
        taken.listen()
        assert free_port() != first
