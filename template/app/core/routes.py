"""What is known of each route: its template with all prefixes, which FastAPI keeps to itself, and its dependencies."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import Receive, Scope, Send

type Endpoint = Callable[..., object]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KnownRoute:
    """One route of the application.

    Attributes:
        template: the path with the names of its parameters, such as `/api/v1/app/projects/{id}`.
        dependencies: the callables that stand before the route, those of the routers around it first.
    """

    template: str
    pattern: re.Pattern[str]
    methods: frozenset[str]
    dependencies: tuple[Endpoint, ...]


class RouteTable:
    """The application's routes by endpoint."""

    def __init__(self, app: FastAPI) -> None:
        self._routes = [
            (context.endpoint, _known(context)) for context in iter_route_contexts(app.routes) if context.path
        ]
        self._by_endpoint: dict[Endpoint | None, list[KnownRoute]] = defaultdict(list)
        for endpoint, route in self._routes:
            self._by_endpoint[endpoint].append(route)

    def find(self, request: HTTPConnection | Scope) -> KnownRoute | None:
        """The route that the request has been given to; `None` before that, and where there is no such route."""
        scope = request.scope if isinstance(request, HTTPConnection) else request
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return None
        routes = self._by_endpoint.get(endpoint, ())
        if len(routes) == 1:
            return routes[0]
        # One endpoint may serve several paths.
        path = _path(scope)
        return next((route for route in routes if route.pattern.match(path)), None)

    def allowed_methods(self, request: HTTPConnection) -> list[str]:
        """The methods that the request's path answers (RFC 9110 §10.2.1)."""
        path = _path(request.scope)
        return sorted({method for _, route in self._routes if route.pattern.match(path) for method in route.methods})


def route_table(request: HTTPConnection | Scope) -> RouteTable:
    """The table of the application that serves the request."""
    scope = request.scope if isinstance(request, HTTPConnection) else request
    return cast("RouteTable", scope["app"].state.routes)


class PathIndex:
    """Asks only those routers that have a route for the path; FastAPI asks each of their routes, one by one.

    It stands in front of the application's own search, which gets whatever is not found here, and gives the same
    results: the order stays, and the router that is asked decides.
    """

    def __init__(self, app: FastAPI) -> None:
        self._router = app.router
        self._search = app.router.middleware_stack
        self._entries = [(re.compile(pattern), route) for route in app.routes if (pattern := _patterns(route))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the request to its route."""
        # The search tells telemetry which route it is.
        if scope["type"] == "http" and "fastapi.telemetry" not in scope:
            path = _path(scope)
            for pattern, route in self._entries:
                if pattern.match(path):
                    match, child_scope = route.matches(scope)
                    if match is Match.FULL:
                        scope.update(child_scope, router=self._router)
                        await route.handle(scope, receive, send)
                        return
        await self._search(scope, receive, send)


def index_paths(app: FastAPI) -> None:
    """Makes the application find its routes, all of which have been added, by an index."""
    app.router.middleware_stack = PathIndex(app)


def _path(scope: Scope) -> str:
    """The path below the prefix that a proxy has taken away, if it has (`--root-path`)."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def _patterns(route: BaseRoute) -> str:
    """One pattern for all paths below a route or router."""
    paths = (context.path for context in iter_route_contexts([route]) if context.path)
    # Without the names of the parameters, which one pattern may have but once.
    return "|".join(re.sub(r"\(\?P<\w+>", "(?:", compile_path(path)[0].pattern) for path in paths)


def _known(context: RouteContext) -> KnownRoute:
    path = context.path or ""
    pattern, template, _ = compile_path(path)
    depends: Iterable[object] = getattr(context, "dependencies", ())
    callables = (getattr(item, "dependency", None) for item in depends)
    return KnownRoute(
        template=template,
        pattern=pattern,
        methods=frozenset(context.methods or ()),
        dependencies=tuple(item for item in callables if item is not None),
    )
