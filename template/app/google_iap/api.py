"""The Google Play Developer API (https://developers.google.com/android-publisher/api-ref/rest/v3)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from urllib.parse import quote

import httpx
from httpx import codes

from app.google_iap.access_token import AccessTokens, ServiceAccountRefusedError
from app.google_iap.settings import GooglePlaySettings
from app.google_iap.wire import SubscriptionPurchase, VoidedPurchase, VoidedPurchases
from app.kit.resilience.errors import UnavailableError
from app.kit.resilience.resilient import Resilient
from app.payments.port import ProviderUnavailableError

API_URL: Final = "https://androidpublisher.googleapis.com"
TIMEOUT: Final = timedelta(seconds=8)
ATTEMPTS: Final = 2
MAX_PAGES: Final = 100
MAX_BODY: Final = 1024 * 1024
REFUSED: Final = (
    "Google Play refused the service account. Check GOOGLE_PLAY_SERVICE_ACCOUNT_JSON, and the account's permissions "
    "in the Play Console."
)
SUBSCRIPTIONS: Final = 1
"""The `type` of voided purchases that includes subscriptions."""


class GooglePlayApi:
    """Purchases of one app. All methods raise `ProviderUnavailableError`.

    Args:
        http_client: a client whose base URL is the API's.
        tokens: of the service account.
        package_name: the app's.
    """

    def __init__(self, http_client: httpx.AsyncClient, tokens: AccessTokens, package_name: str) -> None:
        self._http_client = http_client
        self._tokens = tokens
        self._purchases = f"/androidpublisher/v3/applications/{package_name}/purchases"
        self._calls = Resilient("Google Play", transient=_is_transient, timeout=TIMEOUT, attempts=ATTEMPTS)

    async def subscription(self, token: str) -> SubscriptionPurchase | None:
        """Fetch a subscription; `None` if Google Play does not know the token, or no longer."""
        try:
            found = await self._call("GET", f"subscriptionsv2/tokens/{_segment(token)}")
        except _UnknownTokenError:
            return None
        return _parsed(SubscriptionPurchase, found)

    async def acknowledge(self, token: str, product: str, account: str | None) -> None:
        """Acknowledge a subscription.

        Args:
            account: the user of a purchase that was made outside the app, which names none.
        """
        body = {} if account is None else {"externalAccountIds": {"obfuscatedAccountId": account}}
        await self._change(token, product, "acknowledge", body)

    async def cancel(self, token: str, product: str) -> None:
        """Turn the renewal of a subscription off. It lasts until the end of what was paid."""
        await self._change(token, product, "cancel", {})

    async def voided(self, since: datetime) -> AsyncIterator[VoidedPurchase]:
        """Return the orders that were voided since then: within the last 30 days."""
        query = {"type": str(SUBSCRIPTIONS), "startTime": str(int(since.timestamp() * 1000))}
        for _ in range(MAX_PAGES):
            page = _parsed(VoidedPurchases, await self._call("GET", "voidedpurchases", params=query))
            for voided in page.voided_purchases:
                yield voided
            token = page.token_pagination.next_page_token
            if not token:
                return
            query = {**query, "token": token}

    async def _change(self, token: str, product: str, action: str, body: dict[str, Any]) -> None:
        path = f"subscriptions/{_segment(product)}/tokens/{_segment(token)}:{action}"
        try:
            await self._call("POST", path, json=body)
        except _UnknownTokenError as error:
            raise ProviderUnavailableError("Google Play does not know the purchase.") from error

    async def _call(self, method: str, path: str, **arguments: Any) -> bytes:  # noqa: ANN401 - those of httpx
        try:
            return await self._calls.call(partial(self._send, method, path, arguments))
        except httpx.HTTPStatusError as error:
            raise _meaning(error.response) from None
        except ServiceAccountRefusedError:
            raise ProviderUnavailableError(REFUSED) from None
        except (httpx.HTTPError, TimeoutError, UnavailableError, ValueError) as error:
            # Not chained: the messages of some of them quote the address, and with it the purchase token.
            raise ProviderUnavailableError(f"Google Play failed: {type(error).__name__}.") from None

    async def _send(self, method: str, path: str, arguments: dict[str, Any]) -> bytes:
        response = await self._authorized(method, path, arguments)
        if response.status_code == codes.UNAUTHORIZED:
            # The token was withdrawn before its time: a new key, or a restart at Google.
            response = await self._authorized(method, path, arguments)
        return response.raise_for_status().content

    async def _authorized(self, method: str, path: str, arguments: dict[str, Any]) -> httpx.Response:
        token = await self._tokens.get()
        headers = {"Authorization": f"Bearer {token}"}
        response = await self._http_client.request(method, f"{self._purchases}/{path}", headers=headers, **arguments)
        if response.status_code == codes.UNAUTHORIZED:
            self._tokens.discard(token)
        return response


class _UnknownTokenError(Exception):
    """Google Play does not know the purchase token, or no longer."""


def _meaning(response: httpx.Response) -> Exception:
    """Return the error that a response means. Its message contains no purchase token."""
    code, reason, text = response.status_code, *_described(response)
    too_old = code == codes.BAD_REQUEST and reason == "failedPrecondition" and "expired for too long" in text
    malformed = code == codes.BAD_REQUEST and reason in {"invalid", "invalidValue"}
    # There are others with the status 404, such as an unknown app.
    not_found = code == codes.NOT_FOUND and "token" in f"{reason} {text}".lower()
    if code == codes.GONE or too_old or malformed or not_found:
        return _UnknownTokenError()
    if code in {codes.UNAUTHORIZED, codes.FORBIDDEN}:
        return ProviderUnavailableError(REFUSED)
    return ProviderUnavailableError(f"Google Play answered {code}, {reason or 'without a reason'}.")


def _described(response: httpx.Response) -> tuple[str, str]:
    """Return the reason of an error and its message."""
    try:
        error = response.json()["error"]
        first = error["errors"][0]
        return str(first.get("reason", ""))[:100], f"{first.get('location', '')} {error.get('message', '')}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", ""


def _parsed[T: (SubscriptionPurchase, VoidedPurchases)](model: type[T], body: bytes) -> T:
    try:
        if len(body) > MAX_BODY:
            raise ValueError("too long")  # noqa: TRY301 - the same reaction as to another shape
        return model.model_validate_json(body)
    except ValueError:
        raise ProviderUnavailableError("Google Play sent a response of an unexpected shape.") from None


def _is_transient(error: Exception) -> bool:
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        return status == codes.TOO_MANY_REQUESTS or codes.is_server_error(status)
    return isinstance(error, httpx.TransportError)


def _segment(text: str) -> str:
    """Return a text as one segment of a path."""
    return quote(text, safe="")


@asynccontextmanager
async def open_api(settings: GooglePlaySettings) -> AsyncIterator[GooglePlayApi]:
    """Open the API with the service account that the settings contain."""
    url = settings.GOOGLE_PLAY_API_URL or API_URL
    async with httpx.AsyncClient(base_url=url, timeout=TIMEOUT.total_seconds()) as http_client:
        tokens = AccessTokens(http_client, settings.service_account)
        yield GooglePlayApi(http_client, tokens, settings.GOOGLE_PLAY_PACKAGE_NAME)
