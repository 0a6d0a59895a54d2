"""A provider and the issuer that it trusts: what the tests of every provider stand on."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from typing import ClassVar

import jwt
import pytest

from app.auth.authenticator import Authenticator
from tests.auth.conftest import OpenAuthenticator
from tests.fakes.issuer import Issuer, SigningKey, now

type Claims = dict[str, object]


class ProviderCase(ABC):
    """The provider with JWKS, against an issuer on the loopback interface."""

    provider: ClassVar[str]
    algorithm: ClassVar[str] = "RS256"

    @abstractmethod
    def settings(self, issuer: Issuer) -> dict[str, str]:
        """The settings with which the provider trusts the issuer."""

    @abstractmethod
    def issuer_claims(self, issuer: Issuer) -> Claims:
        """What the provider issues besides `sub`, `exp`, `iat` and `nbf`."""

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
        """Makes the application trust the issuer. `usefixtures` has it done before there is a client."""
        issuer.keys = [SigningKey(self.algorithm)]
        for name, value in self.settings(issuer).items():
            monkeypatch.setenv(name, value)


def sign_anything(key: SigningKey, claims: Claims) -> str:
    """Signs claims that the library refuses to encode."""
    return sign_bytes(key, json.dumps(claims).encode())


def sign_bytes(key: SigningKey, payload: bytes) -> str:
    """Signs any payload."""
    return jwt.api_jws.encode(payload, key.private, algorithm=key.algorithm, headers={"kid": key.kid})
