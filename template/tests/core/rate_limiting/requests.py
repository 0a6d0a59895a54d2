"""A module with limited routes, and requests to it."""

from typing import Annotated, Any

import httpx
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from pydantic import BaseModel

from app.core.errors import UnauthorizedError
from app.core.http.rate_limit import RateLimit, limit_address, limit_failed_authentication, limit_user
from app.core.manifest import Guards, Module
from tests.core.applications import PUBLIC, module

HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


class Thing(BaseModel):
    size: int


async def read() -> dict[str, str]:
    return {}


async def read_one(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
    return {"id": id}


async def make(thing: Thing) -> Thing:
    return thing


async def refuse() -> None:
    raise HTTPException(409, "No.")


async def fail() -> None:
    raise RuntimeError


SMALL = module(
    ("GET", "/thing", read),
    ("GET", "/other", read),
    ("GET", "/things/{id}", read_one),
    ("DELETE", "/things/{id}", read_one),
    ("POST", "/thing", make),
    ("GET", "/refuse", refuse),
    ("GET", "/fail", fail),
)


async def statuses(client: httpx.AsyncClient, *paths: str) -> list[int]:
    return [(await client.get(path if path.startswith("/") else f"{PUBLIC}/{path}")).status_code for path in paths]


def remaining(answer: httpx.Response) -> int:
    return int(answer.headers["x-ratelimit-remaining"])


async def guard(request: Request, user: Annotated[str | None, Header()] = None) -> None:
    """Somebody who names themselves is believed."""
    if user is None:
        await limit_address(request)
        raise UnauthorizedError
    if user == "impostor":
        await limit_failed_authentication(request)
        raise UnauthorizedError
    await limit_user(request, user)


def guarded(*routes: tuple[str, Any], rate: RateLimit | None = None) -> Module:
    router = APIRouter()
    for path, endpoint in routes:
        router.add_api_route(path, endpoint, dependencies=[Depends(rate)] if rate else None)
    return Module(name="guarded", router=router, guards=Guards(app=Depends(guard), admin=Depends(guard)))
