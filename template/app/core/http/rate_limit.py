"""Rate limits of requests: by user where there is one, else by the client's address; by route template, not by path."""

from collections.abc import Callable
from functools import lru_cache

from fastapi import Request

from app.core.context import context_of
from app.core.errors import RateLimitedError
from app.core.http.client_address import client_address
from app.core.http.route_table import KnownRoute
from app.core.rate_limiting.port import OFF, Verdict, parse_rate
from app.core.runtime import Runtime, get_runtime

type RateSource = str | Callable[[Runtime], str]

UNROUTED = "unrouted"
"""The one key of all requests that reach no route, so that made-up paths do not each get a limit of their own."""


class RateLimit:
    """A rate of a route's own, in place of RATE_LIMIT_DEFAULT.

    Use: `@router.post("/contact", dependencies=[Depends(RateLimit("5/hour", name="contact"))])`.

    Args:
        rate: such as `5/hour`, `off`, or what reads it from the settings:
            `lambda runtime: runtime.resource(ContactSettings).CONTACT_RATE_LIMIT`.
        name: routes with the same name share the count.
    """

    def __init__(self, rate: RateSource, *, name: str) -> None:
        if isinstance(rate, str) and rate != OFF:
            parse_rate(rate)
        self._rate = rate
        self.name = name

    def rate(self, runtime: Runtime) -> str:
        """The rate, as the settings have it."""
        return self._rate if isinstance(self._rate, str) else self._rate(runtime)

    async def __call__(self, request: Request) -> None:
        """Counts the request, unless the area's guard has already done so.

        Raises:
            RateLimitedError: the rate is exceeded.
        """
        await ensure_limited(request)


async def limit_user(request: Request, identity: str) -> None:
    """Counts a request of a known caller. To be called before any work is done for them.

    Args:
        request: the one to count.
        identity: what tells the caller from all others, such as `provider:subject`.

    Raises:
        RateLimitedError: the route's rate, or RATE_LIMIT_DEFAULT, is exceeded.
    """
    context_of(request).identity = identity
    await _limit_route(request, get_runtime(request), f"user:{identity}")


async def limit_address(request: Request) -> None:
    """Counts a request by its client's address, as is done before every public route.

    Raises:
        RateLimitedError: the route's rate, or RATE_LIMIT_DEFAULT, is exceeded.
    """
    runtime = get_runtime(request)
    await _limit_route(request, runtime, _address_key(request, runtime))


async def limit_failed_authentication(request: Request) -> None:
    """Counts a failed authentication of the client's address. To be called before the 401 is raised.

    Raises:
        RateLimitedError: RATE_LIMIT_AUTH is exceeded.
    """
    runtime = get_runtime(request)
    await _hit(request, runtime, runtime.settings.RATE_LIMIT_AUTH, f"{_address_key(request, runtime)} authentication")


async def ensure_limited(request: Request) -> None:
    """Counts the request if nothing has done so yet, by whatever is known of the caller.

    Raises:
        RateLimitedError: the rate is exceeded.
    """
    context = context_of(request)
    if context.rate_limit_headers is not None:
        return
    runtime = get_runtime(request)
    who = f"user:{context.identity}" if context.identity else _address_key(request, runtime)
    await _limit_route(request, runtime, who)


def _address_key(request: Request, runtime: Runtime) -> str:
    return f"address:{client_address(request, runtime.settings.TRUSTED_PROXY_COUNT)}"


async def _limit_route(request: Request, runtime: Runtime, who: str) -> None:
    route = context_of(request).route
    if not isinstance(route, KnownRoute):
        await _hit(request, runtime, runtime.settings.RATE_LIMIT_DEFAULT, f"{who} {UNROUTED}")
    elif (own := _own_limit(route)) is not None:
        await _hit(request, runtime, own.rate(runtime), f"{who} {own.name}")
    else:
        await _hit(request, runtime, runtime.settings.RATE_LIMIT_DEFAULT, f"{who} {request.method} {route.template}")


@lru_cache(maxsize=4096)
def _own_limit(route: KnownRoute) -> RateLimit | None:
    # The innermost declaration wins: a route's own over its router's.
    return next((item for item in reversed(route.dependencies) if isinstance(item, RateLimit)), None)


async def _hit(request: Request, runtime: Runtime, rate: str, key: str) -> None:
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
