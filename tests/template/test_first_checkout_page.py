"""The page on the first checkout: every step works as it stands there, with `app dev` and the fake of Stripe."""

import re
import shutil
import signal
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from omnistack.shell.process import kill_group, program
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer

from tests.template.process_output import ProcessOutput
from tests.template.test_own_module_page import ROOT

BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
BASH: Final = shutil.which("bash") or "/bin/bash"
START: Final = "uv run app dev\n"
SECONDS: Final = 120


def steps(page: str) -> list[tuple[str, str]]:
    """Return the commands of a page, each with the outputs that follow it: `…` stands for any text."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.finditer(page):
        if block["kind"] == "bash":
            found.append((block["text"], ""))
        else:
            command, output = found[-1]
            found[-1] = command, f"{output}{block['text'].strip()}…"
    return found


def pattern(output: str) -> str:
    """Return the pattern of an output."""
    return ".*".join(re.escape(part.strip()) for part in output.split("…"))


def click(output: str) -> None:
    """Do what the page asks the reader to do in the browser."""
    for url in re.findall(r"http://127\.0\.0\.1:\d+/(?:checkout|portal)/\w+", output):
        form = {"card": "0341", "action": "card"} if "/portal/" in url else {"card": "4242", "action": "pay"}
        data = urllib.parse.urlencode(form).encode()
        with urllib.request.urlopen(url, data, SECONDS) as page:  # noqa: S310 - of this machine
            text = page.read().decode()
        assert ("Thank you" if "/checkout/" in url else "0341") in text


@contextmanager
def server(site: Site, port: str) -> Iterator[str]:
    """Run `app dev` until the end of the block, and yield what the terminal shows once it is ready."""
    process = subprocess.Popen(
        [program("uv"), "run", "app", "dev", "--port", port],
        cwd=site.folder,
        env=site.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield ProcessOutput(process).read_until("Ctrl-C", SECONDS)
        process.send_signal(signal.SIGINT)
        process.wait(SECONDS)
    finally:
        if process.poll() is None:
            kill_group(process)


@pytest.mark.slow
def test_every_step_works(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    write(Renderer(ROOT).render({"preset": "minimal", "stripe": True}), folder)
    site = Site(folder=folder, environment=environment("", types_cache=tmp_path / "types", bytecode=tmp_path / "code"))
    site.run("uv", "sync", "--quiet")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (first, _nothing), *rest = steps((folder / "docs" / "first-checkout.md").read_text(encoding="utf-8"))
    assert first == START
    before = ""
    with server(site, port) as greeting:
        assert "payments go to a fake" in greeting
        for command, output in rest:
            text = (before + command).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            done = subprocess.run(
                [BASH, "-euo", "pipefail", "-c", text],
                cwd=folder,
                env=site.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert re.search(pattern(output), done.stdout, re.DOTALL), (command, done.stdout)
            click(done.stdout)
            # The shell keeps the token and the function; what it showed is over.
            before = before or "".join(line for line in command.splitlines(keepends=True) if line != "get status\n")
