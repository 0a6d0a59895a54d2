"""How every provider is reached: over HTTP, with an end, tried again where it may help, spared while it is down."""

import asyncio
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from app.ai.errors import AIRateLimitedError, AIRefusedError, AIUnavailableError
from app.ai.event_stream import EventStreamError, read_events
from app.core.errors import AppError, ServiceUnavailableError
from app.kit.resilience import Resilient, UnavailableError, named_pause

if TYPE_CHECKING:
    # Imported when the first provider is opened: importing the application for a command should not wait for it.
    import httpx

logger = structlog.stdlib.get_logger(__name__)

CONNECT_TIMEOUT: Final = 5.0
UNAUTHENTICATED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})
BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})
_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

type Body = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What a provider says when it cannot or will not answer.

    Attributes:
        status: the HTTP status that it has or would have.
        code: the provider's own word for it.
    """

    status: int
    code: str | None = None


class Wire(BaseModel):
    """Base of what providers send. What nobody reads is left out."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    def fault(self) -> Fault | None:
        """What went wrong, where this says so in the middle of an answer."""
        return None


class Transport:
    """One provider's server.

    Args:
        name: the provider's.
        client: knows the address and the key.
        patience: how long it waits for a whole answer; for a stream, until it begins and between its pieces.
        read_fault: reads the body of an answer that is an error.
    """

    def __init__(
        self, name: str, client: "httpx.AsyncClient", patience: timedelta, read_fault: Callable[[int, bytes], Fault]
    ) -> None:
        self.name = name
        self._client = client
        self._read_fault = read_fault
        self._longest = patience.total_seconds() + CONNECT_TIMEOUT
        self._resilient = Resilient(name, transient=_may_pass, pause=_named_pause, timeout=patience)

    async def post[W: Wire](self, path: str, body: Body, kind: type[W]) -> W:
        """The answer to a request, whole. It may be sent again: what a model has said to nobody does no harm.

        Raises:
            AppError: one of `app.ai.errors`.
        """
        return await self._call(lambda: self._post(path, body, kind))

    async def events[W: Wire](self, path: str, body: Body, kind: type[W]) -> AsyncGenerator[W, None]:
        """The events of an answer. Until the first one comes, the request may be sent again; closing it hangs up.

        Raises:
            AppError: one of `app.ai.errors`.
        """
        response = await self._call(lambda: self._open(path, body))
        try:
            async with self._guard(), aclosing(read_events(response.aiter_bytes())) as events:
                async for data in events:
                    if data == "[DONE]":
                        return
                    yield self._checked(kind, data)
        finally:
            await response.aclose()

    def broken(self, reason: str) -> AIUnavailableError:
        """The error that an answer is which ends too early or makes no sense."""
        logger.warning("ai_answer_broken", provider=self.name, reason=reason)
        return AIUnavailableError(self.name)

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        # Mapped on both sides: what the circuit counts are errors of ours, and its own is to become one.
        with self._mapped():
            async with self._resilient.guard():
                with self._mapped():
                    yield

    async def _call[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        # All attempts together: nobody waits for three answers that do not come.
        with self._mapped():
            async with asyncio.timeout(self._longest):
                return await self._resilient.call(attempt)

    async def _post[W: Wire](self, path: str, body: Body, kind: type[W]) -> W:
        with self._mapped():
            answer = await self._client.post(path, json=body)
        if not answer.is_success:
            raise self._error(answer, answer.content)
        return self._checked(kind, answer.content)

    async def _open(self, path: str, body: Body) -> "httpx.Response":
        with self._mapped():
            answer = await self._client.send(self._client.build_request("POST", path, json=body), stream=True)
            if answer.is_success:
                return answer
            try:
                content = await answer.aread()
            finally:
                await answer.aclose()
        raise self._error(answer, content)

    def _checked[W: Wire](self, kind: type[W], data: str | bytes) -> W:
        try:
            item = kind.model_validate_json(data)
        except ValidationError as error:
            raise self.broken(f"{error.error_count()} fields are not as they should be") from None
        fault = item.fault()
        if fault is not None:
            raise self._raised(fault, None)
        return item

    def _error(self, answer: "httpx.Response", content: bytes) -> AppError:
        fault = self._read_fault(answer.status_code, content)
        return self._raised(fault, named_pause(answer.headers.get("Retry-After")))

    def _raised(self, fault: Fault, retry_after: timedelta | None) -> AppError:
        """The error of ours for one of theirs. Their words may quote the prompt, so that only their code is told."""
        code = fault.code if fault.code and _CODE.fullmatch(fault.code) else None
        logger.warning("ai_provider_refused", provider=self.name, status=fault.status, code=code)
        if fault.status == HTTPStatus.TOO_MANY_REQUESTS:
            return AIRateLimitedError(self.name, retry_after=retry_after)
        if fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR or fault.status in BUSY:
            return AIUnavailableError(self.name, retry_after=retry_after)
        if fault.status in UNAUTHENTICATED or fault.status == HTTPStatus.NOT_FOUND:
            # The key, the model or the account is no longer good: another try does not help, another provider may.
            return AIUnavailableError(self.name, transient=False)
        return AIRefusedError(self.name, code)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Makes errors of ours of those that the network and what stands before it raise."""
        import httpx  # noqa: PLC0415

        try:
            yield
        except UnavailableError:
            logger.warning("ai_provider_left_alone", provider=self.name)
            raise AIUnavailableError(self.name) from None
        except EventStreamError as error:
            raise self.broken(str(error)) from None
        except (httpx.HTTPError, TimeoutError) as error:
            # Without the cause: a request that is logged with its error would show what was asked.
            logger.warning("ai_provider_unreachable", provider=self.name, error=type(error).__name__)
            raise AIUnavailableError(self.name) from None


def _may_pass(error: Exception) -> bool:
    return isinstance(error, AIRateLimitedError) or (isinstance(error, AIUnavailableError) and error.transient)


def _named_pause(error: Exception) -> timedelta | None:
    return error.retry_after if isinstance(error, ServiceUnavailableError) else None


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates that it trusts takes longer than all else."""
    import httpx  # noqa: PLC0415

    return httpx.create_ssl_context()


@asynccontextmanager
async def open_client(
    base_url: str, headers: Mapping[str, str], patience: timedelta
) -> "AsyncIterator[httpx.AsyncClient]":
    """A client of a provider's server; as many calls at a time as there are."""
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    seconds = httpx.Timeout(patience.total_seconds(), connect=CONNECT_TIMEOUT)
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=seconds, limits=limits, verify=_tls()
    ) as client:
        yield client
