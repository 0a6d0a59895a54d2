"""Requests to the gateway's routes, and parsing of streams."""

import json
from typing import Any, Final

import httpx

AI: Final = "/api/v1/app/ai"
type Event = tuple[str, dict[str, Any]]


def parse(text: str) -> list[Event]:
    """Return the events of a stream, after checking its format."""
    found = []
    blocks = [block for block in text.split("\n\n") if block and not block.startswith(":")]
    for block in blocks:
        # One line of data each: a line break in a text must not become one of the stream.
        name, data = block.split("\n")
        assert name.startswith("event: ")
        assert data.startswith("data: ")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    assert text.endswith("\n\n")
    return found


def events(answer: httpx.Response) -> list[Event]:
    """Return the events of a response."""
    assert answer.status_code == 200, answer.text
    return parse(answer.content.decode())


async def question(
    client: httpx.AsyncClient, headers: dict[str, str], *, path: str = "completions", **body: object
) -> httpx.Response:
    """Send a prompt."""
    return await client.post(f"{AI}/{path}", headers=headers, json={"prompt": "Hello"} | body)


async def chat(
    client: httpx.AsyncClient, headers: dict[str, str], *, path: str = "chat", **body: object
) -> httpx.Response:
    """Send a conversation."""
    messages = [{"role": "user", "content": "Hello"}]
    return await client.post(f"{AI}/{path}", headers=headers, json={"messages": messages} | body)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]
