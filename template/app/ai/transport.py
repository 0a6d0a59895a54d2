"""HTTP calls to providers, with timeouts, retries and a circuit breaker."""

import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import structlog
from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from app.ai.errors import AIRateLimitedError, AIRefusedError, AIUnavailableError
from app.ai.event_stream import EventStreamError, read_events
from app.core.errors import AppError
from app.kit.resilience.errors import UnavailableError
from app.kit.resilience.resilient import Resilient
from app.kit.resilience.retry_after import parse_retry_after

if TYPE_CHECKING:
    # Imported when the first provider is opened, so that commands that need none start faster.
    import httpx

logger = structlog.stdlib.get_logger(__name__)

CONNECT_TIMEOUT: Final = 5.0
UNAUTHENTICATED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN})
BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT})
MAX_LOGGED_FIELDS: Final = 5
_CODE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")

type Body = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """An error that a provider reports.

    Attributes:
        status: the HTTP status, or the one that fits an error in the middle of a stream.
        code: the provider's own error code.
    """

    status: int
    code: str | None = None


class Wire(BaseModel):
    """Base of the responses of providers. Read leniently: unknown fields are ignored, and null means absent."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: object) -> object:
        """Remove null fields and null items of lists: compatible servers send them where the original sends none."""
        if not isinstance(data, dict):
            return data
        return {
            name: [item for item in value if item is not None] if isinstance(value, list) else value
            for name, value in data.items()
            if value is not None
        }

    def fault(self) -> Fault | None:
        """Return the error, if this reports one in the middle of an answer."""
        return None


def _none_if_invalid(value: object, validate: ValidatorFunctionWrapHandler) -> object:
    try:
        return validate(value)
    except ValidationError:
        return None


IGNORED_IF_INVALID: Final = WrapValidator(_none_if_invalid)
"""Mark of an optional field that no answer depends on, such as token counts: an invalid value is read as `None`."""


class Transport:
    """A provider's server.

    Args:
        name: the provider's name.
        client: has the base URL and the credentials.
        timeout: of a complete answer; of a stream, until it begins and between its pieces.
        read_fault: parses the body of an error response.
    """

    def __init__(
        self, name: str, client: "httpx.AsyncClient", timeout: timedelta, read_fault: Callable[[int, bytes], Fault]
    ) -> None:
        self.name = name
        self._client = client
        self._read_fault = read_fault
        self._resilient = Resilient(
            name,
            transient=_is_transient,
            timeout=timeout,
            total_timeout=timeout + timedelta(seconds=CONNECT_TIMEOUT),
        )

    async def post[W: Wire](self, path: str, body: Body, kind: type[W]) -> W:
        """Return the complete answer. The request may be retried: generating a second answer does no harm.

        Raises:
            AppError: one of `app.ai.errors`.
        """
        return await self._call(lambda: self._post(path, body, kind))

    async def events[W: Wire](self, path: str, body: Body, kind: type[W]) -> AsyncGenerator[W, None]:
        """Yield the events of an answer. The request may be retried until the first event. Closing it ends the call.

        Raises:
            AppError: one of `app.ai.errors`.
        """
        response = await self._call(lambda: self._open(path, body))
        try:
            async with self._guard(), aclosing(read_events(response.aiter_bytes())) as events:
                async for data in events:
                    if data.strip() == "[DONE]":
                        return
                    yield self._checked(kind, data)
        finally:
            await response.aclose()

    def broken(self, reason: str, *, fields: Sequence[str] = ()) -> AIUnavailableError:
        """Log an incomplete or unreadable answer, and return the error to raise.

        Args:
            reason: without any text of the answer.
            fields: the names of the unreadable fields.
        """
        logger.warning("ai_answer_broken", provider=self.name, reason=reason, fields=list(fields))
        return AIUnavailableError(self.name)

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        # Mapped on both sides: the circuit breaker counts our errors, and its own error becomes one.
        with self._mapped():
            async with self._resilient.guard():
                with self._mapped():
                    yield

    async def _call[T](self, attempt: Callable[[], Awaitable[T]]) -> T:
        with self._mapped():
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
            raise self.broken("unreadable", fields=_fields(error)) from None
        fault = item.fault()
        if fault is not None:
            raise self._raised(fault, None)
        return item

    def _error(self, answer: "httpx.Response", content: bytes) -> AppError:
        fault = self._read_fault(answer.status_code, content)
        return self._raised(fault, parse_retry_after(answer.headers.get("Retry-After")))

    def _raised(self, fault: Fault, retry_after: timedelta | None) -> AppError:
        """Return our error for a provider's. Its message may quote the prompt, so only its code is logged."""
        code = fault.code if fault.code and _CODE.fullmatch(fault.code) else None
        logger.warning("ai_provider_refused", provider=self.name, provider_status=fault.status, code=code)
        if fault.status == HTTPStatus.TOO_MANY_REQUESTS:
            return AIRateLimitedError(self.name, retry_after=retry_after)
        if fault.status >= HTTPStatus.INTERNAL_SERVER_ERROR or fault.status in BUSY:
            return AIUnavailableError(self.name, retry_after=retry_after)
        if fault.status in UNAUTHENTICATED or fault.status == HTTPStatus.NOT_FOUND:
            # The key, the model or the account is invalid: a retry doesn't help, but another provider may.
            return AIUnavailableError(self.name, transient=False)
        return AIRefusedError(self.name, code)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Raise our errors for those of the network and of the circuit breaker."""
        import httpx  # noqa: PLC0415

        try:
            yield
        except UnavailableError:
            logger.warning("ai_provider_skipped", provider=self.name)
            raise AIUnavailableError(self.name) from None
        except EventStreamError as error:
            raise self.broken(str(error)) from None
        except (httpx.HTTPError, TimeoutError) as error:
            # Without the cause: logging an error with its request would reveal the prompt.
            logger.warning("ai_provider_unreachable", provider=self.name, error=type(error).__name__)
            raise AIUnavailableError(self.name) from None


def _fields(error: ValidationError) -> list[str]:
    """Return the names of invalid fields, such as `choices.0.delta: string_type`, and none of their values."""
    return [f"{'.'.join(map(str, item['loc']))}: {item['type']}" for item in error.errors()[:MAX_LOGGED_FIELDS]]


def _is_transient(error: Exception) -> bool:
    return isinstance(error, AIRateLimitedError) or (isinstance(error, AIUnavailableError) and error.transient)


@cache
def _tls() -> ssl.SSLContext:
    """Create the TLS context once, since loading the trusted certificates is slow."""
    import httpx  # noqa: PLC0415

    return httpx.create_ssl_context()


@asynccontextmanager
async def open_client(
    base_url: str, headers: Mapping[str, str], answer_timeout: timedelta
) -> "AsyncIterator[httpx.AsyncClient]":
    """Open a client of a provider's server, without a limit of concurrent calls."""
    import httpx  # noqa: PLC0415

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=20)
    seconds = httpx.Timeout(answer_timeout.total_seconds(), connect=CONNECT_TIMEOUT)
    async with httpx.AsyncClient(
        base_url=base_url, headers=headers, timeout=seconds, limits=limits, verify=_tls()
    ) as client:
        yield client
