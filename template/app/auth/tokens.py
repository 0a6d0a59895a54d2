"""Verifies JSON Web Tokens (RFC 7519) by RFC 8725: algorithms are the issuer's, never the token's."""

import base64
import json
import re
from collections.abc import Mapping
from typing import NoReturn, Protocol

import jwt
import structlog
from jwt import PyJWK
from pydantic import SecretStr

from app.auth.claims import Claims
from app.auth.port import InvalidTokenError

logger = structlog.stdlib.get_logger(__name__)

type VerificationKey = PyJWK | bytes

LEEWAY_SECONDS = 10
"""How far the clocks of the issuer and of this machine may be apart."""

MAX_TOKEN_LENGTH = 8 * 1024

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class KeySource(Protocol):
    """Knows the keys of one issuer."""

    async def key(self, algorithm: str, kid: str | None) -> VerificationKey:
        """The key of that algorithm and id.

        Raises:
            InvalidTokenError: there is none.
            ServiceUnavailableError: whether there is one cannot be known at the moment.
        """
        ...


class SharedSecret:
    """One secret, for HS256."""

    def __init__(self, secret: SecretStr) -> None:
        self._key = secret.get_secret_value().encode()

    async def key(self, algorithm: str, kid: str | None) -> bytes:  # noqa: ARG002 - the protocol's signature
        """See `KeySource.key`."""
        return self._key


class TokenVerifier:
    """Accepts the tokens of one issuer.

    Args:
        issuer: what `iss` has to be.
        audience: what `aud` has to name; `None` for an issuer whose tokens have none, and one that has is refused.
        keys: where the key of each accepted algorithm is found. An algorithm that is not listed is refused, and since
            each has its own source, a public key is never taken for a secret.
    """

    def __init__(self, *, issuer: str, audience: str | None, keys: Mapping[str, KeySource]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = dict(keys)
        self._required = ["exp", "iss", "sub", *(["aud"] if audience is not None else [])]

    async def verify(self, token: str) -> Claims:
        """The token's claims.

        Raises:
            InvalidTokenError: the token is not to be trusted.
            ServiceUnavailableError: the issuer's keys cannot be had at the moment.
        """
        header = _part(token, 0)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._keys:
            _refuse("algorithm")
        key = await self._keys[algorithm].key(algorithm, kid if isinstance(kid, str) else None)
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._issuer,
                audience=self._audience,
                leeway=LEEWAY_SECONDS,
                options={"require": self._required},
            )
        except jwt.ExpiredSignatureError as error:
            raise InvalidTokenError("The bearer token has expired.") from error
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError) as error:
            _refuse(type(error).__name__, error)


def _part(token: str, index: int) -> dict[str, object]:
    """The header (0) or the claims (1), as yet unverified.

    `jwt.get_unverified_header` would check all three parts, which `jwt.decode` does once more.
    """
    if len(token) > MAX_TOKEN_LENGTH or not _COMPACT.fullmatch(token):
        _refuse("format")
    encoded = token.split(".")[index]
    try:
        part = json.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError) as error:
        _refuse("format", error)
    if not isinstance(part, dict):
        _refuse("format")
    return part


def _refuse(reason: str, cause: Exception | None = None) -> NoReturn:
    """Logs why, without the token: whoever sent it is told only that it is not valid."""
    logger.info("token_refused", reason=reason)
    raise InvalidTokenError from cause


def unverified_issuer(token: str) -> object:
    """What the token says of its issuer. Good for choosing who is to verify it, for nothing else.

    Raises:
        InvalidTokenError: it is no token at all.
    """
    return _part(token, 1).get("iss")
