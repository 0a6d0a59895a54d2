"""An issuer's public keys (RFC 7517): cached, rotated, and kept while the issuer is down."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping

import structlog
from jwt import PyJWK, PyJWTError

from app.auth.fetch import TIMEOUT_SECONDS, FetchError, fetch_json
from app.auth.port import InvalidTokenError
from app.core.errors import ServiceUnavailableError

logger = structlog.stdlib.get_logger(__name__)

MAX_AGE_SECONDS = 300.0
"""After this the keys are read again, so that one that was withdrawn stops working."""
MAX_STALE_SECONDS = 24 * 3600.0
"""How long keys are good for while the issuer cannot be reached."""
SEARCH_INTERVAL_SECONDS = 60.0
"""How often at most a token with an unknown key makes us look for new keys."""
RETRY_SECONDS = 5.0
"""How long a failed fetch is not repeated."""
MAX_KEYS = 100
MIN_RSA_BITS = 2048
KEY_TYPES = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
"""The algorithms for which a key may be published, and the type that it has to have."""


class KeySet:
    """The keys at one address.

    At most one fetch is under way at a time, whoever asks; all who need it wait for the same one.

    Args:
        url: of the JSON Web Key Set.
        algorithms: what the issuer signs with; any of `KEY_TYPES`.
        timeout: seconds for one fetch.
        clock: gives monotonic seconds.
    """

    def __init__(
        self,
        url: str,
        algorithms: Collection[str],
        *,
        timeout: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._algorithms = frozenset(algorithms)
        self._timeout = timeout
        self._clock = clock
        self._keys: dict[tuple[str, str | None], PyJWK] = {}
        self._loaded_at: float | None = None
        self._failed_at: float | None = None
        self._searched_at: float | None = None
        self._flight: asyncio.Task[None] | None = None

    async def key(self, algorithm: str, kid: str | None) -> PyJWK:
        """See `tokens.KeySource.key`. Without a `kid` the key is found when there is no choice."""
        refreshed = False
        if self._older_than(MAX_AGE_SECONDS) and self._past(self._failed_at, RETRY_SECONDS):
            await self._refresh()
            refreshed = True
        found = self._find(algorithm, kid)
        if found is None and not refreshed and self._may_search():
            await self._refresh()
            found = self._find(algorithm, kid)
        if found is not None:
            return found
        if self._failed_at is not None:
            raise ServiceUnavailableError(
                "The token's issuer cannot be reached at the moment. Try again later.",
                headers={"Retry-After": f"{RETRY_SECONDS:.0f}"},
            )
        logger.info("token_refused", reason="unknown key")
        raise InvalidTokenError

    def _find(self, algorithm: str, kid: str | None) -> PyJWK | None:
        if self._older_than(MAX_STALE_SECONDS):
            return None
        if kid is not None:
            return self._keys.get((algorithm, kid))
        candidates = [key for (its_algorithm, _), key in self._keys.items() if its_algorithm == algorithm]
        return candidates[0] if len(candidates) == 1 else None

    def _may_search(self) -> bool:
        """Whether an unknown key is worth a fetch: one that is under way anyway, or one a minute."""
        if self._flight is not None:
            return True
        if not self._past(self._searched_at, SEARCH_INTERVAL_SECONDS) or not self._past(self._failed_at, RETRY_SECONDS):
            return False
        self._searched_at = self._clock()
        return True

    def _older_than(self, seconds: float) -> bool:
        return self._past(self._loaded_at, seconds)

    def _past(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock() - moment >= seconds

    async def _refresh(self) -> None:
        if self._flight is None:
            self._flight = asyncio.create_task(self._load())
            self._flight.add_done_callback(self._landed)
        # Shielded: whoever goes away does not take the others' fetch along.
        await asyncio.shield(self._flight)

    def _landed(self, _task: asyncio.Task[None]) -> None:
        self._flight = None

    async def _load(self) -> None:
        try:
            keys = parse_keys(await fetch_json(self._url, timeout=self._timeout), self._algorithms)
        except FetchError as error:
            self._failed_at = self._clock()
            logger.warning("jwks_unavailable", url=self._url, error=str(error), keys_held=len(self._keys))
        else:
            self._keys, self._loaded_at, self._failed_at = keys, self._clock(), None


def parse_keys(document: object, algorithms: Collection[str]) -> dict[tuple[str, str | None], PyJWK]:
    """The usable keys of a JSON Web Key Set, by algorithm and id. Keys for anything else are passed over.

    Raises:
        FetchError: there is none.
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
