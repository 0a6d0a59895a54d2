"""How large a request's body may be: MAX_BODY_SIZE, except where a route says otherwise."""

from collections.abc import Callable

from starlette.types import Scope

from app.core.http.route_table import RouteTable
from app.core.runtime import Runtime


class BodyLimit:
    """A limit of a route's own, in place of MAX_BODY_SIZE. The route has to read the body as a stream.

    Use: `@router.put("/files", dependencies=[Depends(BodyLimit(lambda runtime: 10_000_000))])`.
    """

    def __init__(self, limit: Callable[[Runtime], int]) -> None:
        self._limit = limit

    def bytes(self, runtime: Runtime) -> int:
        """The limit, as the settings have it."""
        return self._limit(runtime)

    async def __call__(self) -> None:
        """Has been heeded before the route is reached, by the middleware that gives it the body."""


def body_limit(scope: Scope, default: int) -> int:
    """How many bytes the body of this request may have."""
    state = scope["app"].state
    routes = getattr(state, "routes", None)
    route = routes.find(scope) if isinstance(routes, RouteTable) else None
    own = next((item for item in reversed(route.dependencies) if isinstance(item, BodyLimit)), None) if route else None
    return default if own is None else own.bytes(state.runtime)
