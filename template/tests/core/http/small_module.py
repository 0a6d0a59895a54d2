"""A module with one route per outcome, and streamed bodies."""

from collections.abc import AsyncIterator

from fastapi import Request
from starlette.responses import StreamingResponse

from tests.core.applications import module


async def read() -> dict[str, str]:
    return {}


async def fail() -> None:
    raise RuntimeError


async def swallow(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


async def take(body: dict[str, str]) -> dict[str, int]:
    return {"size": len(body)}


async def break_off() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError

    return StreamingResponse(pieces())


SMALL = module(
    ("GET", "/thing", read),
    ("GET", "/fail", fail),
    ("POST", "/swallow", swallow),
    ("POST", "/take", take),
    ("GET", "/break", break_off),
)


async def pieces_of(*sizes: int) -> AsyncIterator[bytes]:
    """Yield a body without a declared length."""
    for size in sizes:
        yield b"x" * size
