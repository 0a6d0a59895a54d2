"""The public keys of an issuer (RFC 7517): cached, refreshed in the background, and kept while the issuer is down."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx
import structlog
from jwt import PyJWK, PyJWTError

from app.auth.fetch import TIMEOUT_SECONDS, FetchError, fetch_json, open_client
from app.auth.port import InvalidTokenError
from app.core.errors import ServiceUnavailableError

logger = structlog.stdlib.get_logger(__name__)

REFRESH_AFTER_SECONDS: Final = 300.0
"""Age at which keys are downloaded again in the background, while requests use the keys at hand."""
WAIT_AFTER_SECONDS: Final = 3600.0
"""Age at which a request waits for the download, so that a withdrawn key is not accepted after a quiet night.
While downloads fail, no request waits."""
MAX_STALE_SECONDS: Final = 24 * 3600.0
"""Age up to which keys are used while the issuer cannot be reached."""
SEARCH_PERIOD_SECONDS: Final = 60.0
"""Period in which tokens with an unknown key cause at most two downloads: a made-up key must not delay a new one."""
SEARCH_INTERVAL_SECONDS: Final = 10.0
"""Minimum time between these two."""
RETRY_SECONDS: Final = 5.0
"""Minimum time between a failed download and the next one."""
MAX_KEYS: Final = 100
MIN_RSA_BITS: Final = 2048
KEY_TYPES: Final = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""The supported algorithms, each with the key type that it requires."""


class KeySet:
    """The keys at one address. Concurrent requests share one download. Create it with `open_key_set`.

    Args:
        client: downloads the keys.
        url: the address of the JSON Web Key Set.
        algorithms: the issuer's algorithms, out of `KEY_TYPES`.
        timeout: seconds for one download.
        clock: returns monotonic seconds.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        algorithms: Collection[str],
        *,
        timeout: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = url
        self._algorithms = frozenset(algorithms)
        self._timeout = timeout
        self._clock = clock
        self._keys: dict[tuple[str, str | None], PyJWK] = {}
        self._loaded_at: float | None = None
        self._failed_at: float | None = None
        self._searched_at: float | None = None
        self._searched_before: float | None = None
        self._download: asyncio.Task[None] | None = None

    async def keys(self, algorithm: str, kid: str | None) -> tuple[PyJWK]:
        """See `tokens.KeySource.keys`. Without a `kid`, a key is found if it is the only one of its algorithm."""
        waited = False
        if self._older_than(REFRESH_AFTER_SECONDS) and self._may_retry():
            self._start_download()
            if self._older_than(WAIT_AFTER_SECONDS) and self._failed_at is None:
                await self._wait_for_download()
                waited = True
        found = self._find(algorithm, kid)
        if found is None and not waited and self._may_search():
            self._start_download()
            await self._wait_for_download()
            found = self._find(algorithm, kid)
        if found is not None:
            return (found,)
        if self._failed_at is not None:
            raise ServiceUnavailableError(
                "The token's issuer is unreachable. Try again later.",
                headers={"Retry-After": f"{RETRY_SECONDS:.0f}"},
            )
        raise InvalidTokenError(reason="unknown key")

    async def close(self) -> None:
        """Cancel a download that is still running."""
        if self._download is not None:
            self._download.cancel()
            await asyncio.wait([self._download])

    def _find(self, algorithm: str, kid: str | None) -> PyJWK | None:
        if self._older_than(MAX_STALE_SECONDS):
            return None
        if kid is not None:
            return self._keys.get((algorithm, kid))
        candidates = [key for (its_algorithm, _), key in self._keys.items() if its_algorithm == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    def _may_search(self) -> bool:
        """Return whether an unknown key justifies a download: one that is running anyway, or two per period."""
        if self._download is not None:
            return True
        pause = self._past(self._searched_at, SEARCH_INTERVAL_SECONDS)
        if not pause or not self._past(self._searched_before, SEARCH_PERIOD_SECONDS) or not self._may_retry():
            return False
        self._searched_before, self._searched_at = self._searched_at, self._clock()
        return True

    def _may_retry(self) -> bool:
        return self._past(self._failed_at, RETRY_SECONDS)

    def _older_than(self, seconds: float) -> bool:
        return self._past(self._loaded_at, seconds)

    def _past(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock() - moment >= seconds

    def _start_download(self) -> None:
        if self._download is None:
            self._download = asyncio.create_task(self._load())
            self._download.add_done_callback(self._finish_download)

    def _finish_download(self, _task: asyncio.Task[None]) -> None:
        self._download = None

    async def _wait_for_download(self) -> None:
        if self._download is not None:
            # Shielded: a client that disconnects must not cancel the download that others wait for.
            await asyncio.shield(self._download)

    async def _load(self) -> None:
        try:
            document = await fetch_json(self._client, self._url, timeout=self._timeout)
            keys = parse_keys(document, self._algorithms)
        except FetchError as error:
            self._failed_at = self._clock()
            logger.warning("jwks_unavailable", url=self._url, error=str(error), keys_held=len(self._keys))
        else:
            self._keys, self._loaded_at, self._failed_at = keys, self._clock(), None


@asynccontextmanager
async def open_key_set(url: str, algorithms: Collection[str]) -> AsyncIterator[KeySet]:
    """Open the key set at an address, with a client of its own. Both are closed at the end of the block."""
    async with open_client() as client:
        keys = KeySet(client, url, algorithms)
        try:
            yield keys
        finally:
            await keys.close()


def parse_keys(document: object, algorithms: Collection[str]) -> dict[tuple[str, str | None], PyJWK]:
    """Return the usable keys of a JSON Web Key Set, by algorithm and id. Other keys are skipped.

    Raises:
        FetchError: it contains no usable key.
    """
    listed = document.get("keys") if isinstance(document, Mapping) else None
    keys: dict[tuple[str, str | None], PyJWK] = {}
    for jwk in listed[:MAX_KEYS] if isinstance(listed, list) else ():
        key = _usable(jwk, algorithms) if isinstance(jwk, dict) else None
        if key is not None:
            keys.setdefault((key.algorithm_name, key.key_id), key)
    if not keys:
        raise FetchError(f"the key set has no signature key for {', '.join(sorted(algorithms))}")
    return keys


def _usable(jwk: dict[str, object], algorithms: Collection[str]) -> PyJWK | None:
    operations = jwk.get("key_ops", ["verify"])
    kid = jwk.get("kid")
    if jwk.get("use", "sig") != "sig" or not isinstance(operations, list) or "verify" not in operations:
        return None
    if "d" in jwk or not isinstance(kid, str | None):
        return None
    try:
        key = PyJWK(jwk)
        size = getattr(key.key, "key_size", MIN_RSA_BITS)
    except (PyJWTError, ValueError, TypeError, AttributeError, LookupError):
        return None
    if key.algorithm_name not in algorithms or key.key_type != KEY_TYPES.get(key.algorithm_name):
        return None
    return None if key.key_type == "RSA" and size < MIN_RSA_BITS else key
