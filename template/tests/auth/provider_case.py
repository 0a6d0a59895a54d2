"""A provider and its issuer: the base of the tests of every provider."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar

import jwt
import pytest

from app.auth.authenticator import Authenticator
from tests.auth.conftest import OpenAuthenticator
from tests.fakes.issuer import Issuer, SigningKey, encode_segment, now

type Claims = dict[str, object]


class ProviderCase(ABC):
    """A provider with a JWKS, and an issuer on the loopback interface."""

    provider: ClassVar[str]
    algorithm: ClassVar[str] = "RS256"

    @abstractmethod
    def settings(self, issuer: Issuer) -> dict[str, str]:
        """Return the settings with which the provider accepts the issuer's tokens."""

    @abstractmethod
    def issuer_claims(self, issuer: Issuer) -> Claims:
        """Return the claims of the provider's tokens, in addition to `sub`, `exp`, `iat` and `nbf`."""

    @pytest.fixture
    async def authenticator(
        self, issuer: Issuer, open_authenticator: OpenAuthenticator
    ) -> AsyncIterator[Authenticator]:
        issuer.keys = [SigningKey(self.algorithm)]
        async with open_authenticator(self.settings(issuer)) as opened:
            yield opened

    @pytest.fixture
    def claims(self, issuer: Issuer) -> Claims:
        return {"sub": "user_1", "exp": now() + 60, "iat": now(), "nbf": now(), **self.issuer_claims(issuer)}

    @pytest.fixture
    def trust(self, environment: None, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - the order matters
        """Configure the application for the issuer. With `usefixtures` this happens before the client is created."""
        issuer.keys = [SigningKey(self.algorithm)]
        for name, value in self.settings(issuer).items():
            monkeypatch.setenv(name, value)


def sign_anything(key: SigningKey, claims: Claims) -> str:
    """Sign claims that the library refuses to encode."""
    return sign_bytes(key, json.dumps(claims).encode())


def sign_with_header(key: SigningKey, claims: Claims, **header: object) -> str:
    """Sign claims with a header that the library may refuse to encode."""
    given = {name: value for name, value in header.items() if value is not None}
    signed = f"{encode_segment({'alg': key.algorithm, 'kid': key.kid, **given})}.{encode_segment(claims)}"
    algorithm = jwt.get_algorithm_by_name(key.algorithm)
    return f"{signed}.{encode_segment(algorithm.sign(signed.encode(), key.private))}"


def sign_bytes(key: SigningKey, payload: bytes) -> str:
    """Sign any payload."""
    return jwt.api_jws.encode(payload, key.private, algorithm=key.algorithm, headers={"kid": key.kid})
