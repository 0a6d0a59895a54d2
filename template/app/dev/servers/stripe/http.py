"""The API over HTTP: authentication, idempotency, errors, and a log of requests."""

import json
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.api.call import Call, Handler
from app.dev.servers.stripe.api.endpoints import ENDPOINTS
from app.dev.servers.stripe.authentication import authenticate
from app.dev.servers.stripe.billing.due import catch_up
from app.dev.servers.stripe.errors import ApiError
from app.dev.servers.stripe.faults import Faults
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.events import API_VERSION, EventRequest
from app.dev.servers.stripe.params import Params, parse
from app.dev.servers.stripe.render import render

_LOG_LENGTH: Final = 1000
_LOST: Final = {"Content-Length": "10"}
"""A lost answer announces more than it sends, so that the client sees the connection break."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Logged:
    """A request to the API."""

    id: str
    method: str
    path: str
    body: str
    idempotency_key: str | None
    status: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kept:
    """The answer to a request with an idempotency key."""

    fingerprint: str
    status: int
    body: Json


@dataclass(kw_only=True)
class Api:
    """The API of an account.

    Attributes:
        log: the last requests, the newest one at the end.
    """

    account: Account
    secret_key: str
    faults: Faults
    log: deque[Logged] = field(default_factory=lambda: deque(maxlen=_LOG_LENGTH))
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def routes(self) -> list[Route]:
        """Return the routes of the API."""
        return [Route(path, self._endpoint(handler), methods=[method]) for method, path, handler in ENDPOINTS]

    def _endpoint(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            text = (await request.body()).decode(errors="replace") if request.method == "POST" else request.url.query
            return self.answer(request, handler, text)

        return endpoint

    def answer(self, request: Request, handler: Handler, text: str) -> Response:
        """Carry out a request."""
        request_id = self.account.new_id("req")
        headers = {"Request-Id": request_id, "Stripe-Version": API_VERSION}
        key = request.headers.get("idempotency-key")
        headers |= {"Idempotency-Key": key} if key else {}
        fault = self.faults.next_fault()
        if fault == "down":
            return self._respond(request, text, 503, _down().document(request_id), headers)
        try:
            authenticate(request, self.secret_key)
            kept = self._replay(request, key, text)
            if kept is not None:
                return self._respond(request, text, kept.status, kept.body, headers | {"Idempotent-Replayed": "true"})
            self.account.request = EventRequest(id=request_id, idempotency_key=key)
            status, body = 200, self._run(request, handler, text)
        except ApiError as error:
            status, body = error.status, error.document(request_id)
        finally:
            self.account.request = EventRequest()
        # Errors in parameters aren't kept: the request had no effect.
        if key and request.method == "POST" and status in {200, 402}:
            self._kept[key] = _Kept(fingerprint=_fingerprint(request, text), status=status, body=body)
        response = self._respond(request, text, status, body, headers)
        return Response(b"", headers=_LOST) if fault == "lost" else response

    def _replay(self, request: Request, key: str | None, text: str) -> _Kept | None:
        kept = self._kept.get(key or "")
        if kept is not None and kept.fingerprint != _fingerprint(request, text):
            raise ApiError(
                message="Keys for idempotent requests can only be used with the same parameters they were first used "
                f"with. Try using a key other than '{key}' if you meant to execute a different request.",
                type="idempotency_error",
                code="idempotency_key_in_use",
            )
        return kept

    def _run(self, request: Request, handler: Handler, text: str) -> Json:
        values = parse(text)
        expand = Params(values).strings("expand")
        values.pop("expand", None)
        catch_up(self.account)
        answer = handler(Call(account=self.account, params=Params(values), ids=dict(request.path_params)))
        return render(self.account, answer, expand)

    def _respond(self, request: Request, text: str, status: int, body: Json, headers: dict[str, str]) -> Response:
        self.log.append(
            Logged(
                id=headers["Request-Id"],
                method=request.method,
                path=request.url.path,
                body=text,
                idempotency_key=headers.get("Idempotency-Key"),
                status=status,
            )
        )
        return Response(json.dumps(body), status, headers=headers, media_type="application/json")


def _fingerprint(request: Request, text: str) -> str:
    return f"{request.method} {request.url.path} {text}"


def _down() -> ApiError:
    return ApiError(message="The fake is down, as you wanted.", status=503, type="api_error")


async def not_found(request: Request, _error: Exception) -> Response:
    """Answer a request to a URL that the fake doesn't have."""
    message = f"Unrecognized request URL ({request.method}: {request.url.path}). The fake has only a part of the API."
    body = ApiError(message=message, status=404).document("req_unknown")
    return Response(json.dumps(body), 404, media_type="application/json")
