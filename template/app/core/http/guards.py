"""Guards run before the body is read, so that only authenticated clients can make the server keep one."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AsyncExitStack
from functools import update_wrapper
from typing import Annotated, Any, Final, cast

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.dependencies.utils import get_dependant, solve_dependencies
from fastapi.params import Depends
from starlette.requests import HTTPConnection, Request
from starlette.types import Scope

from app.core.errors import AppError
from app.core.http.route_table import KnownRoute

_RESULTS: Final = "app.guards"


def once_per_connection[**P, T](guard: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Run a dependency once for each request or WebSocket, and return the same result afterwards.

    FastAPI keeps results only among the dependencies of a route, but the dispatcher runs an area's guard before it
    passes the request to the route. The guard has a parameter `connection: HTTPConnection`.
    """

    async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        connection = cast("HTTPConnection", kwargs["connection"] if "connection" in kwargs else args[0])
        results: dict[object, Any] = connection.scope.setdefault(_RESULTS, {})
        if guard not in results:
            results[guard] = await guard(*args, **kwargs)
        result: T = results[guard]
        return result

    # FastAPI reads the parameters from the guard's own signature.
    update_wrapper(guarded, guard)
    return guarded


class EarlyGuards:
    """Early execution of the guards of requests that have a body."""

    def __init__(self, app: FastAPI, routes: Iterable[KnownRoute], guards: Iterable[Depends]) -> None:
        self._app = app
        dependants = {guard.dependency: _dependant(guard) for guard in guards}
        self._guards = {
            route: found
            for route in routes
            if (found := [dependants[item] for item in route.dependencies if item in dependants])
        }

    def are_needed(self, route: KnownRoute, scope: Scope) -> bool:
        """Return whether the route has a guard and the request has a body."""
        return route in self._guards and _has_body(scope)

    async def run(self, route: KnownRoute, scope: Scope) -> None:
        """Run the guards of the route. FastAPI itself reads the body before it runs any dependency.

        Raises:
            AppError: a guard refuses the request.
        """
        async with AsyncExitStack() as stack:
            own: Scope = {"fastapi_inner_astack": stack, "fastapi_function_astack": stack}
            results = scope.setdefault(_RESULTS, {})
            request = Request({**scope, **own, _RESULTS: results})
            try:
                for guard in self._guards[route]:
                    await solve_dependencies(
                        request=request,
                        dependant=guard,
                        dependency_overrides_provider=self._app,
                        async_exit_stack=stack,
                        embed_body_fields=False,
                    )
            except AppError as error:
                if _is_chunked(scope):
                    # Such a body may have no end; with this header the server reads no more of it.
                    error.headers["Connection"] = "close"
                raise


def _dependant(guard: Depends) -> Dependant:
    async def root(result: Annotated[object, guard]) -> None:
        """Depend on the guard."""

    return get_dependant(path="", call=root)


def _is_chunked(scope: Scope) -> bool:
    return any(name == b"transfer-encoding" for name, _ in scope["headers"])


def _has_body(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and value != b"0"):
            return True
    return False
