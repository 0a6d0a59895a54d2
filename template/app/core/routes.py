"""What is known of each route: its template with all prefixes, which FastAPI keeps to itself, and its dependencies."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import cast

from fastapi import FastAPI
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.requests import HTTPConnection
from starlette.routing import compile_path

from app.core.context import Scope

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
        return next((route for route in routes if route.pattern.match(scope["path"])), None)

    def allowed_methods(self, path: str) -> list[str]:
        """The methods that the path answers (RFC 9110 §10.2.1)."""
        return sorted({method for _, route in self._routes if route.pattern.match(path) for method in route.methods})


def route_table(request: HTTPConnection | Scope) -> RouteTable:
    """The table of the application that serves the request."""
    scope = request.scope if isinstance(request, HTTPConnection) else request
    return cast("RouteTable", scope["app"].state.routes)


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
