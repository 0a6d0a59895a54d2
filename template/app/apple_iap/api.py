"""The App Store Server API: the state of subscriptions, and notifications that did not arrive.

See https://developer.apple.com/documentation/appstoreserverapi.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, override

import httpx
import structlog
from appstoreserverlibrary.api_client import (
    APIError,
    APIException,
    AsyncAppStoreServerAPIClient,
    BaseAppStoreServerAPIClient,
)
from appstoreserverlibrary.models.Environment import Environment
from appstoreserverlibrary.models.LastTransactionsItem import LastTransactionsItem
from appstoreserverlibrary.models.NotificationHistoryRequest import NotificationHistoryRequest
from httpx import codes

from app.apple_iap.settings import AppleSettings
from app.apple_iap.verification import ENVIRONMENTS
from app.kit.resilience.errors import UnavailableError
from app.kit.resilience.resilient import Resilient
from app.payments.port import ProviderUnavailableError

logger = structlog.stdlib.get_logger(__name__)

TIMEOUT: Final = timedelta(seconds=8)
ATTEMPTS: Final = 2

UNKNOWN_ID: Final = frozenset(
    {
        APIError.TRANSACTION_ID_NOT_FOUND,
        APIError.ORIGINAL_TRANSACTION_ID_NOT_FOUND,
        APIError.ACCOUNT_NOT_FOUND,
        APIError.INVALID_TRANSACTION_ID,
    }
)
"""Errors that say that an environment of the App Store has no such purchase. There are others with the status 404."""

RETRYABLE: Final = frozenset(
    {
        APIError.ACCOUNT_NOT_FOUND_RETRYABLE,
        APIError.APP_NOT_FOUND_RETRYABLE,
        APIError.ORIGINAL_TRANSACTION_ID_NOT_FOUND_RETRYABLE,
    }
)

WRONG_SHAPE: Final = (ValueError, TypeError, AttributeError, ExceptionGroup)
"""The errors of the library for a body that is not JSON, or JSON of the wrong shape."""


@dataclass(frozen=True, slots=True)
class SubscriptionItem:
    """A subscription as the App Store Server API describes it. Its parts are signed and not verified yet."""

    status: int
    signed_transaction: str
    signed_renewal_info: str | None
    sandbox: bool


class AppStoreApi:
    """The App Store Server API in its two environments. All methods raise `ProviderUnavailableError`.

    Args:
        production: a client of the production environment.
        sandbox: a client of the sandbox.
    """

    def __init__(self, production: AsyncAppStoreServerAPIClient, sandbox: AsyncAppStoreServerAPIClient) -> None:
        self._clients = ((production, False), (sandbox, True))
        self._calls = Resilient("App Store", transient=_is_transient, timeout=TIMEOUT, attempts=ATTEMPTS)

    async def subscription(self, original_transaction_id: str) -> SubscriptionItem | None:
        """Fetch a subscription, from the sandbox if it is no real purchase; `None` if neither environment has it.

        The production environment refuses an app that was never released, so its refusal does not end the search.
        """
        refusal: ProviderUnavailableError | None = None
        for client, sandbox in self._clients:
            request = partial(client.get_all_subscription_statuses, original_transaction_id)
            try:
                response = await self._call(request)
            except _UnknownIdError:
                continue
            except _RefusedError as error:
                refusal = refusal or error
                continue
            for group in response.data or ():
                for item in group.lastTransactions or ():
                    if item.originalTransactionId == original_transaction_id:
                        return _subscription_item(item, sandbox=sandbox)
            # Not `None`, which ends the stored subscription: the App Store knows the transaction.
            raise ProviderUnavailableError("The App Store Server API left out the subscription that was requested.")
        if refusal is not None:
            raise refusal
        return None

    async def failed_notifications(self, since: datetime) -> AsyncIterator[str]:
        """Return the signed notifications that did not reach this server, of both environments."""
        start, end = _milliseconds(since), _milliseconds(datetime.now(UTC))
        query = NotificationHistoryRequest(startDate=start, endDate=end, onlyFailures=True)
        for client, _ in self._clients:
            token: str | None = None
            while True:
                try:
                    page = await self._call(partial(client.get_notification_history, token, query))
                except _RefusedError as error:
                    logger.warning("app_store_history_refused", reason=str(error))
                    break
                for item in page.notificationHistory or ():
                    if item.signedPayload:
                        yield item.signedPayload
                token = page.paginationToken
                if not page.hasMore or not token:
                    break

    async def _call[T](self, request: Callable[[], Awaitable[T]]) -> T:
        try:
            return await self._calls.call(request)
        except APIException as error:
            if error.api_error in UNKNOWN_ID:
                raise _UnknownIdError from None
            if error.http_status_code == codes.UNAUTHORIZED or error.api_error is APIError.APP_NOT_FOUND:
                raise _RefusedError from None
            reason = f"The App Store Server API answered {error.http_status_code}, error {error.raw_api_error}."
            raise ProviderUnavailableError(reason) from None
        except (httpx.HTTPError, TimeoutError, UnavailableError, *WRONG_SHAPE) as error:
            raise ProviderUnavailableError(f"The App Store Server API failed: {type(error).__name__}.") from error


class _UnknownIdError(Exception):
    """The environment has no such purchase."""


class _RefusedError(ProviderUnavailableError):
    """The environment does not accept the app or its key."""

    def __init__(self) -> None:
        super().__init__(
            "The App Store Server API refused the app or its key. "
            "Check APPLE_ISSUER_ID, APPLE_KEY_ID, APPLE_PRIVATE_KEY and APPLE_BUNDLE_ID."
        )


def _subscription_item(item: LastTransactionsItem, *, sandbox: bool) -> SubscriptionItem:
    if item.rawStatus is None or item.signedTransactionInfo is None:
        raise ProviderUnavailableError("The App Store Server API sent a subscription without status or transaction.")
    return SubscriptionItem(item.rawStatus, item.signedTransactionInfo, item.signedRenewalInfo, sandbox)


def _is_transient(error: Exception) -> bool:
    if isinstance(error, APIException):
        status = error.http_status_code
        return status == codes.TOO_MANY_REQUESTS or codes.is_server_error(status) or error.api_error in RETRYABLE
    return isinstance(error, httpx.TransportError)


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class _Client(AsyncAppStoreServerAPIClient):
    """The library's client of one environment, with an HTTP client that both environments share."""

    def __init__(self, settings: AppleSettings, environment: Environment, http_client: httpx.AsyncClient) -> None:
        # Not the constructor of the class itself, which opens an HTTP client of its own.
        BaseAppStoreServerAPIClient.__init__(
            self,
            settings.APPLE_PRIVATE_KEY.get_secret_value().encode(),
            settings.APPLE_KEY_ID,
            settings.APPLE_ISSUER_ID,
            settings.APPLE_BUNDLE_ID,
            environment,
        )
        self.http_client = http_client


class _OtherServer(httpx.AsyncHTTPTransport):
    """A transport that sends the requests for Apple's servers to another one.

    The library's client has no option for it.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        environment = "sandbox" if "sandbox" in request.url.host else "production"
        request.url = httpx.URL(f"{self._url}/{environment}{request.url.raw_path.decode()}")
        request.headers["Host"] = request.url.netloc.decode()
        return await super().handle_async_request(request)


@asynccontextmanager
async def open_api(settings: AppleSettings) -> AsyncIterator[AppStoreApi]:
    """Open the API with the key that the settings contain."""
    transport = _OtherServer(settings.APPLE_API_URL) if settings.APPLE_API_URL else None
    async with httpx.AsyncClient(transport=transport) as http_client:
        yield AppStoreApi(*(_Client(settings, environment, http_client) for environment in ENVIRONMENTS))
