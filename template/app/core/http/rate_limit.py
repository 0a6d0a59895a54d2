"""Rate limits of requests and WebSockets, by route and by user, or by client address if there is no user."""

from collections.abc import Callable
from functools import lru_cache

from starlette.requests import HTTPConnection

from app.core.context import context_of
from app.core.errors import RateLimitedError
from app.core.http.client_address import client_address
from app.core.http.route_table import KnownRoute
from app.core.rate_limiting.port import OFF, Verdict, parse_rate
from app.core.runtime import Runtime, get_runtime

type RateSource = str | Callable[[Runtime], str]

UNROUTED = "unrouted"
"""The shared key of all requests without a route, so that invented paths don't each get a limit of their own."""


class RateLimit:
    """A route's own rate limit, in place of RATE_LIMIT_DEFAULT.

    Use: `@router.post("/exports", dependencies=[Depends(RateLimit("5/hour", name="exports"))])`.

    Args:
        rate: such as `5/hour` or `off`, or a function that reads it from the settings:
            `lambda runtime: runtime.resource(ExportSettings).EXPORT_RATE_LIMIT`.
        name: routes with the same name share one count.
    """

    def __init__(self, rate: RateSource, *, name: str) -> None:
        if isinstance(rate, str) and rate != OFF:
            parse_rate(rate)
        self._rate = rate
        self.name = name

    def rate(self, runtime: Runtime) -> str:
        """Return the rate."""
        return self._rate if isinstance(self._rate, str) else self._rate(runtime)

    async def __call__(self, request: HTTPConnection) -> None:
        """Count the request, unless the area's guard has counted it already.

        Raises:
            RateLimitedError: the rate is exceeded.
        """
        await ensure_limited(request)


async def limit_user(request: HTTPConnection, identity: str) -> None:
    """Count a request of an authenticated caller. Call this before any work is done for them.

    Args:
        request: the request or WebSocket to count.
        identity: identifies the caller, such as `provider:subject`.

    Raises:
        RateLimitedError: the route's rate, or RATE_LIMIT_DEFAULT, is exceeded.
    """
    context_of(request).identity = identity
    await _limit_route(request, get_runtime(request), f"user:{identity}")


async def limit_address(request: HTTPConnection) -> None:
    """Count a request by the client's address. The dispatcher does this for every public route.

    Raises:
        RateLimitedError: the route's rate, or RATE_LIMIT_DEFAULT, is exceeded.
    """
    runtime = get_runtime(request)
    await _limit_route(request, runtime, _address_key(request, runtime))


async def limit_failed_authentication(request: HTTPConnection) -> None:
    """Count a failed authentication by the client's address. Call this before the 401 is raised.

    Raises:
        RateLimitedError: RATE_LIMIT_AUTH is exceeded.
    """
    runtime = get_runtime(request)
    await _hit(request, runtime, runtime.settings.RATE_LIMIT_AUTH, f"{_address_key(request, runtime)} authentication")


async def limit_anonymous(request: HTTPConnection, rate: str) -> None:
    """Count a request of an anonymous user by the client's address, across all routes and all such users.

    Anyone can create any number of anonymous users, so a limit per user would have no effect.

    Raises:
        RateLimitedError: the rate is exceeded.
    """
    runtime = get_runtime(request)
    await _hit(request, runtime, rate, f"{_address_key(request, runtime)} anonymous")


async def allows(runtime: Runtime, rate: str, key: str) -> bool:
    """Count an event that is not a request, and return whether its rate allows it."""
    return rate == OFF or (await runtime.limiter.hit(rate, key)).allowed


async def ensure_limited(request: HTTPConnection) -> None:
    """Count the request unless it was counted already: by the caller if known, otherwise by the address.

    Raises:
        RateLimitedError: the rate is exceeded.
    """
    context = context_of(request)
    if context.rate_limit_headers is not None:
        return
    runtime = get_runtime(request)
    caller = f"user:{context.identity}" if context.identity else _address_key(request, runtime)
    await _limit_route(request, runtime, caller)


def _address_key(request: HTTPConnection, runtime: Runtime) -> str:
    return f"address:{client_address(request, runtime.settings.TRUSTED_PROXY_COUNT)}"


async def _limit_route(request: HTTPConnection, runtime: Runtime, caller: str) -> None:
    route = context_of(request).route
    if not isinstance(route, KnownRoute):
        await _hit(request, runtime, runtime.settings.RATE_LIMIT_DEFAULT, f"{caller} {UNROUTED}")
    elif (own := _own_limit(route)) is not None:
        await _hit(request, runtime, own.rate(runtime), f"{caller} {own.name}")
    else:
        key = f"{caller} {request.scope.get('method', 'WEBSOCKET')} {route.template}"
        await _hit(request, runtime, runtime.settings.RATE_LIMIT_DEFAULT, key)


@lru_cache(maxsize=4096)
def _own_limit(route: KnownRoute) -> RateLimit | None:
    # The innermost declaration wins: a route's own over its router's.
    return next((item for item in reversed(route.dependencies) if isinstance(item, RateLimit)), None)


async def _hit(request: HTTPConnection, runtime: Runtime, rate: str, key: str) -> None:
    if rate == OFF:
        return
    verdict = await runtime.limiter.hit(rate, key)
    context_of(request).rate_limit_headers = _headers(verdict)
    if not verdict.allowed:
        raise RateLimitedError(verdict.reset)


def _headers(verdict: Verdict) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-ratelimit-limit", b"%d" % verdict.limit),
        (b"x-ratelimit-remaining", b"%d" % verdict.remaining),
        (b"x-ratelimit-reset", b"%d" % verdict.reset),
    ]
