"""An issuer of tokens that speaks the real protocol: it publishes its keys and signs tokens with them."""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.fakes.server import FakeServer, Received, Reply

type PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@cache
def private_key(algorithm: str, number: int, bits: int = 2048) -> PrivateKey:
    """Return a key. Each is generated once per test run."""
    del number
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


class SigningKey:
    """A signing key of an issuer."""

    def __init__(self, algorithm: str = "RS256", number: int = 1, *, kid: str | None = None, bits: int = 2048) -> None:
        self.algorithm = algorithm
        self.kid = kid or f"{algorithm}-{number}"
        self.private = private_key(algorithm, number, bits)

    @property
    def jwk(self) -> dict[str, object]:
        """The published public key."""
        return {**self._bare_jwk(), "kid": self.kid, "use": "sig", "alg": self.algorithm}

    def _bare_jwk(self) -> dict[str, object]:
        match self.private:
            case rsa.RSAPrivateKey():
                return RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            case ec.EllipticCurvePrivateKey():
                return ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
            case ed25519.Ed25519PrivateKey():
                return OKPAlgorithm.to_jwk(self.private.public_key(), as_dict=True)

    @property
    def pem(self) -> bytes:
        """The public key in PEM format."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(
        self,
        claims: Mapping[str, object],
        headers: Mapping[str, object] | None = None,
        *,
        algorithm: str | None = None,
    ) -> str:
        """Return a signed token."""
        return jwt.encode(
            dict(claims),
            self.private,
            algorithm=algorithm or self.algorithm,
            headers={"kid": self.kid, **(headers or {})},
        )


class Issuer:
    """A server that publishes `keys` at every path that ends in `jwks.json`."""

    def __init__(self) -> None:
        self._server = FakeServer(self.answer)
        self._rotations = 0
        self.keys: list[SigningKey] = [SigningKey()]
        self.extra_jwks: list[object] = []
        self.reply: Callable[[], Reply] | None = None
        """The response in place of the key set."""
        self.patience = threading.Event()
        """An event that ends every slow reply."""

    @property
    def url(self) -> str:
        """The base of the URLs."""
        return self._server.url

    @property
    def fetches(self) -> int:
        """The number of requests."""
        return len(self._server.requests)

    @property
    def paths(self) -> list[str]:
        """The path of each request."""
        return [request.path for request in self._server.requests]

    @property
    def headers(self) -> list[dict[str, str]]:
        """The headers of each request, by lower-case name."""
        return [request.headers for request in self._server.requests]

    @property
    def jwks(self) -> dict[str, object]:
        """The published key set."""
        return {"keys": [*(key.jwk for key in self.keys), *self.extra_jwks]}

    def rotate(self, algorithm: str = "RS256") -> SigningKey:
        """Replace the signing key. The old one is no longer published."""
        self._rotations += 1
        self.keys = [SigningKey(algorithm, number=self._rotations + 1)]
        return self.keys[0]

    def go_down(self) -> None:
        """Stop accepting connections."""
        self._server.stop()

    def come_back(self) -> None:
        """Accept connections, always at the same address."""
        self._server.start()

    def sign(self, claims: Mapping[str, object], headers: Mapping[str, object] | None = None) -> str:
        """Return a token signed with the first key."""
        return self.keys[0].sign(claims, headers)

    def answer(self, request: Received) -> Reply:
        """Answer a request."""
        if self.reply is not None:
            return self.reply()
        if not request.path.endswith("jwks.json"):
            return Reply(status=404)
        return Reply(body=json.dumps(self.jwks).encode(), headers={"Content-Type": "application/json"})


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer until the end of the block."""
    issuer = Issuer()
    issuer.come_back()
    try:
        yield issuer
    finally:
        issuer.patience.set()
        issuer.go_down()


def now() -> int:
    """Return the current time in seconds since 1970."""
    return int(time.time())


def encode_segment(value: object) -> str:
    """Encode a part of a token: bytes unchanged, anything else as JSON."""
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forge(header: object, claims: object, signature: bytes = b"x") -> str:
    """Return a token that no library would create."""
    return f"{encode_segment(header)}.{encode_segment(claims)}.{encode_segment(signature)}"


def forge_hs256(claims: object, secret: bytes, **header: object) -> str:
    """Return a token signed with HS256 and any secret, such as a public key."""
    signed = f"{encode_segment({'alg': 'HS256', **header})}.{encode_segment(claims)}"
    return f"{signed}.{encode_segment(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"
