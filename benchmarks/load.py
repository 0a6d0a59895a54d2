"""Requests as fast as they are answered: by wrk where it is installed, else by a small client in Python."""

import asyncio
import re
import shutil
import subprocess
import time

CONNECTIONS = 16


class LoadError(Exception):
    """Something else than the expected answer came back."""


def requests_per_second(host: str, port: int, path: str, headers: dict[str, str], seconds: float) -> float:
    """How many requests a second are answered with 200.

    Raises:
        LoadError: an answer had another status.

    """
    if wrk := shutil.which("wrk"):
        return _with_wrk(wrk, f"http://{host}:{port}{path}", headers, seconds)
    return asyncio.run(_with_python(host, port, path, headers, seconds))


def _with_wrk(wrk: str, url: str, headers: dict[str, str], seconds: float) -> float:
    options = [option for name, value in headers.items() for option in ("-H", f"{name}: {value}")]
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *options, url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s*([\d.]+)", printed)
    if rate is None or "Non-2xx" in printed or "Socket errors" in printed:
        raise LoadError(f"{url} did not always answer 200:\n{printed}")
    return float(rate[1])


async def _with_python(host: str, port: int, path: str, headers: dict[str, str], seconds: float) -> float:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers.items())]
    request = ("\r\n".join(lines) + "\r\n\r\n").encode()
    end = time.perf_counter() + seconds
    counts = await asyncio.gather(*(_one_connection(host, port, request, end) for _ in range(CONNECTIONS)))
    return sum(counts) / seconds


async def _one_connection(host: str, port: int, request: bytes, end: float) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    answered = 0
    try:
        while time.perf_counter() < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise LoadError(f"An answer was {head.splitlines()[0].decode()}.")
            length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
            await reader.readexactly(int(length[1]) if length else 0)
            answered += 1
    finally:
        writer.close()
    return answered
