"""Calls of every admin route that changes something, to check what it leaves behind.

Each module describes how to call its routes in `tests/<module>/admin_calls.py`:

    CALLS: Final[Calls] = {"POST /tickets/{ticket_id}/close": close_ticket}

    async def close_ticket(scene: Scene) -> Call: ...
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Final, NamedTuple
from uuid import uuid4

import httpx
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from app.core.http.dependencies import SAFE_METHODS
from app.core.manifest import modules_of
from app.core.runtime import Runtime

ADMIN: Final = "/api/v1/admin"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Resources of a call.

    Attributes:
        headers: of an administrator.
    """

    runtime: Runtime
    client: httpx.AsyncClient
    headers: dict[str, str]


class Call(NamedTuple):
    """A call that succeeds, below `/api/v1/admin`."""

    path: str
    json: object = None


type MakeCall = Callable[[Scene], Awaitable[Call]]
type Calls = Mapping[str, MakeCall]


def writing_routes(app: FastAPI) -> Iterator[str]:
    """Method and path, below `/api/v1/admin`, of every admin route that is not only read."""
    for context in iter_route_contexts(app.routes):
        path = context.path or ""
        if path.startswith(f"{ADMIN}/"):
            for method in sorted((context.methods or set()) - SAFE_METHODS):
                yield f"{method} {path.removeprefix(ADMIN)}"


def calls_of(runtime: Runtime) -> dict[str, MakeCall]:
    """The calls of all modules."""
    found: dict[str, MakeCall] = {}
    for module in modules_of(runtime):
        name = f"tests.{module.name}.admin_calls"
        if find_spec(f"tests.{module.name}") is not None and find_spec(name) is not None:
            found |= import_module(name).CALLS
    return found


async def walk(scene: Scene, app: FastAPI) -> AsyncIterator[tuple[str, str]]:
    """Call each route that is not only read, and yield it with the id of the request."""
    calls = calls_of(scene.runtime)
    for route in writing_routes(app):
        assert route in calls, f"{route}: add a call that succeeds to the module's tests/<module>/admin_calls.py."
        call = await calls[route](scene)
        request_id = uuid4().hex
        answer = await scene.client.request(
            route.split()[0],
            ADMIN + call.path,
            json=call.json,
            headers=scene.headers | {"X-Request-ID": request_id},
        )
        assert answer.is_success, f"{route}: {answer.status_code} {answer.text}"
        yield route, request_id
