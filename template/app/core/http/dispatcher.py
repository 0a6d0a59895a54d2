"""Pass each request to its route, found in the route table. Rate limits and guards run before the body is read."""

from collections.abc import Callable, Iterable
from typing import cast

from fastapi import FastAPI
from fastapi.params import Depends
from starlette.requests import HTTPConnection, Request
from starlette.types import Receive, Scope, Send

from app.core.context import context_of
from app.core.http.guards import EarlyGuards
from app.core.http.rate_limit import limit_address
from app.core.http.route_table import KnownRoute, RouteTable


class Dispatcher:
    """A replacement for the application's own search for a route, which remains the fallback.

    Args:
        app: the application.
        table: its routes.
        limited: whether a route counts requests by the client's address. This happens here and not in a dependency,
            since FastAPI reads the body before it runs dependencies.
        guards: dependencies that run before the body is read, where a route has them.
    """

    def __init__(
        self, app: FastAPI, table: RouteTable, *, limited: Callable[[KnownRoute], bool], guards: Iterable[Depends]
    ) -> None:
        self._router = app.router
        self._search = app.router.middleware_stack
        self._table = table
        self._limited = frozenset(route for route in table if limited(route))
        self._guards = EarlyGuards(app, table, guards)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        if scope["type"] != "lifespan" and scope["path"].endswith("\n"):
            # In a pattern, `$` also matches before a final newline: a proxy's rules would see another path than we do.
            await self._router.not_found(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)
            return
        route = self._table.find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._search(scope, receive, send)
            return
        context_of(scope).route = route
        if route in self._limited:
            await limit_address(Request(scope))
        if self._guards.are_needed(route, scope):
            await self._guards.run(route, scope)
        scope["router"] = self._router
        if route.is_branch:
            scope.update(route.branch.matches(scope)[1])
        await route.branch.handle(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = context_of(scope).route = self._table.find_websocket(scope)
        if route in self._limited:
            await limit_address(HTTPConnection(scope))
        await self._search(scope, receive, send)


def dispatch_by_table(app: FastAPI, *, limited: Callable[[KnownRoute], bool], guards: Iterable[Depends] = ()) -> None:
    """Put a `Dispatcher` in front of the application's search. Call this once all routes are added."""
    table = app.state.routes = RouteTable(app.routes)
    app.router.middleware_stack = Dispatcher(app, table, limited=limited, guards=guards)


def allowed_methods(connection: HTTPConnection) -> list[str]:
    """Return the methods that are allowed on the request's path."""
    return cast("RouteTable", connection.app.state.routes).allowed_methods(connection.scope)
