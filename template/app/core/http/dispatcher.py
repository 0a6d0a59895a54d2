"""Gives each request to its route, by the application's route table; counts it before, where anybody may call."""

from collections.abc import Callable
from typing import cast

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from app.core.context import context_of
from app.core.http.rate_limit import limit_address
from app.core.http.route_table import KnownRoute, RouteTable


class Dispatcher:
    """Stands in front of the application's own search for a route, which gets whatever is not in the table.

    Args:
        app: what it stands in front of.
        table: the routes of the application.
        limited: whether a route counts its callers by their addresses. That happens here and not in a dependency, so
            that a body is read only once its sender has been counted.
    """

    def __init__(self, app: FastAPI, table: RouteTable, *, limited: Callable[[KnownRoute], bool]) -> None:
        self._router = app.router
        self._search = app.router.middleware_stack
        self._table = table
        self._limited = frozenset(route for route in table if limited(route))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request, WebSocket or lifespan."""
        route = self._table.find(scope) if scope["type"] == "http" else None
        if route is None:
            await self._search(scope, receive, send)
            return
        context_of(scope).route = route
        if route in self._limited:
            await limit_address(Request(scope))
        scope["router"] = self._router
        if route.is_branch:
            scope.update(route.branch.matches(scope)[1])
        await route.branch.handle(scope, receive, send)


def dispatch_by_table(app: FastAPI, *, limited: Callable[[KnownRoute], bool]) -> None:
    """Puts a `Dispatcher` in front of the application's search. To be called when all routes have been added."""
    table = app.state.routes = RouteTable(app.routes)
    app.router.middleware_stack = Dispatcher(app, table, limited=limited)


def allowed_methods(request: Request) -> list[str]:
    """The methods that the request's path answers."""
    return cast("RouteTable", request.app.state.routes).allowed_methods(request.scope)
