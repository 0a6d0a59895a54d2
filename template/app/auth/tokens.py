"""Verify JSON Web Tokens (RFC 7519) as RFC 8725 recommends: the issuer decides on algorithms, never the token."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Final, NoReturn, Protocol

import jwt
from jwt import PyJWK
from pydantic import SecretStr

from app.auth.claims import MAX_SUBJECT_LENGTH, Claims
from app.auth.port import ExpiredTokenError, InvalidTokenError

type VerificationKey = PyJWK | bytes

LEEWAY_SECONDS: Final = 10
"""Accepted difference between the clocks of the issuer and this machine."""

MAX_TOKEN_LENGTH: Final = 8 * 1024

ACCESS_TOKEN_TYPES: Final = frozenset({"jwt", "at+jwt"})
"""Accepted values of the header `typ` (RFC 8725 §3.11, RFC 9068). A token without one is accepted too."""
OTHER_KINDS: Final = frozenset({"id", "refresh", "offline", "logout", "dpop"})
"""Values of the claim `typ` with which Keycloak marks tokens that are not bearer access tokens."""
FOREIGN_CLAIMS: Final = ("at_hash", "c_hash", "events", "cnf")
"""Claims of ID tokens (OpenID Connect Core §3.3.2.11), of logout and event tokens (RFC 8417), and of tokens that are
bound to a key (RFC 7800, RFC 9449): the sender of such a token must prove possession of the key."""

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


class KeySource(Protocol):
    """The keys of one issuer."""

    async def keys(self, algorithm: str, kid: str | None) -> Sequence[VerificationKey]:
        """Return the keys that may have signed a token with this algorithm and key id, at least one.

        Raises:
            InvalidTokenError: there is no such key.
            ServiceUnavailableError: the keys are unavailable.
        """
        ...


class SharedSecrets:
    """Secrets for HS256: the current one and, during a rotation, its predecessors."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._keys = tuple(secret.get_secret_value().encode() for secret in secrets)

    async def keys(self, algorithm: str, kid: str | None) -> tuple[bytes, ...]:  # noqa: ARG002 - the protocol's signature
        """See `KeySource.keys`."""
        return self._keys


class TokenVerifier:
    """A verifier of the access tokens of one issuer.

    Args:
        issuer: the required value of `iss`.
        audiences: `aud` must name one of them. Empty for an issuer whose tokens have no audience: a token that has
            one is refused.
        keys: the source of the keys for each accepted algorithm. Each algorithm has its own source, so that a public
            key is never taken for a secret.
        accept_client_id: accept `client_id` as the audience of an access token without `aud` (Amazon Cognito).
    """

    def __init__(
        self,
        *,
        issuer: str,
        audiences: Sequence[str],
        keys: Mapping[str, KeySource],
        accept_client_id: bool = False,
    ) -> None:
        self._issuer = issuer
        self._audiences = tuple(audiences)
        self._keys = dict(keys)
        self._accept_client_id = accept_client_id

    async def verify(self, token: str) -> Claims:
        """Return the claims of a valid token.

        Raises:
            ExpiredTokenError: the token has expired and is valid otherwise.
            InvalidTokenError: the token is not accepted.
            ServiceUnavailableError: the issuer's keys are unavailable.
        """
        header = _part(token, 0)
        algorithm, kid = header.get("alg"), header.get("kid")
        if not isinstance(algorithm, str) or algorithm not in self._keys:
            _refuse("algorithm")
        _check_type(header)
        keys = await self._keys[algorithm].keys(algorithm, kid if isinstance(kid, str) else None)
        try:
            claims = self._decode(token, algorithm, keys)
        except jwt.ExpiredSignatureError as error:
            claims = self._decode(token, algorithm, keys, expired=True)
            _check_kind(claims)
            raise ExpiredTokenError(str(claims["sub"])[:MAX_SUBJECT_LENGTH]) from error
        _check_kind(claims)
        return claims

    def _decode(
        self, token: str, algorithm: str, keys: Sequence[VerificationKey], *, expired: bool = False
    ) -> dict[str, object]:
        names_client = self._accept_client_id and _names_client(_part(token, 1))
        audiences = () if names_client else self._audiences
        for number, key in enumerate(keys, start=1):
            try:
                claims: dict[str, object] = jwt.decode(
                    token,
                    key,
                    algorithms=[algorithm],
                    issuer=self._issuer,
                    audience=audiences or None,
                    leeway=LEEWAY_SECONDS,
                    options={
                        "require": ["exp", "iss", "sub", *(["aud"] if audiences else [])],
                        "verify_exp": not expired,
                    },
                )
            except jwt.ExpiredSignatureError:
                raise
            except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError) as error:
                if not isinstance(error, jwt.InvalidSignatureError) or number == len(keys):
                    _refuse(type(error).__name__, error)
            else:
                if names_client and claims.get("client_id") not in self._audiences:
                    _refuse("client_id")
                return claims
        raise AssertionError("a key source returned no key")


def unverified_issuer(token: str) -> object:
    """Return the issuer that the token claims to have. Use it only to choose the verifier.

    Raises:
        InvalidTokenError: it is not a token.
    """
    return _part(token, 1).get("iss")


def _check_type(header: Claims) -> None:
    """Refuse other kinds of tokens, such as `logout+jwt`."""
    value = header.get("typ")
    if value is None:
        return
    # RFC 7515 §4.1.9: the prefix may be left out, and case does not matter.
    if not isinstance(value, str) or value.lower().removeprefix("application/") not in ACCESS_TOKEN_TYPES:
        _refuse("typ")


def _check_kind(claims: Claims) -> None:
    """Refuse other kinds of tokens that only their claims distinguish from access tokens."""
    foreign = [name for name in FOREIGN_CLAIMS if name in claims]
    if foreign:
        _refuse(f"{foreign[0]} in an access token")
    if str(claims.get("typ", "")).lower() in OTHER_KINDS or claims.get("token_use", "access") != "access":
        _refuse("not an access token")


def _names_client(claims: Claims) -> bool:
    return "aud" not in claims and claims.get("token_use") == "access"


def _part(token: str, index: int) -> dict[str, object]:
    """Return the header (0) or the claims (1), unverified.

    `jwt.get_unverified_header` checks all three parts, which `jwt.decode` does again.
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
    """Refuse the token. The reason is for the log; the client only learns that the token is not valid."""
    raise InvalidTokenError(reason=reason) from cause
