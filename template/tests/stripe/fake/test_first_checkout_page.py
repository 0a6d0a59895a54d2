"""Every step of docs/first-checkout.md works as it is, in a copy of this project."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import httpx

from tests.dev.project import SECONDS, copy_project

PAGE: Final = Path(__file__).resolve().parents[3] / "docs" / "first-checkout.md"
BLOCK: Final = re.compile(r"^```(?P<kind>\w+)\n(?P<text>.*?)^```", re.DOTALL | re.MULTILINE)
BASH: Final = shutil.which("bash") or "/bin/bash"
START: Final = "uv run app dev"
# `uv run app …` without uv, which would look for the project's environment in the copy.
SHELL: Final = f"uv() {{ shift 2; '{sys.executable}' -m app.cli.main \"$@\"; }}\n"


def steps() -> list[tuple[str, str]]:
    """Return the commands of the page, each with the outputs that follow it: `…` stands for any text."""
    found: list[tuple[str, str]] = []
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
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
    urls = re.findall(r"http://127\.0\.0\.1:\d+/(?:checkout|portal)/\w+", output)
    for url in urls:
        form = {"card": "0341", "action": "card"} if "/portal/" in url else {"card": "4242", "action": "pay"}
        answer = httpx.post(url, data=form, trust_env=False)
        if "/checkout/" in url:
            returned = httpx.get(answer.headers["location"], trust_env=False, timeout=SECONDS)
            assert "Thank you" in returned.text


def test_every_step_works(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    first, *rest = steps()
    assert first == (f"{START}\n", "")
    before = ""
    with project.dev("--port", port) as dev:
        assert "payments go to a fake" in dev.read_until("Ctrl-C")
        for command, output in rest:
            text = (before + command).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
            done = subprocess.run(
                [BASH, "-euo", "pipefail", "-c", SHELL + text],
                cwd=project.folder,
                env=project.environment() | {"PATH": os.environ["PATH"]},
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
