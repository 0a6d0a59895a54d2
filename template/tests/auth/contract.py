"""What every provider has to do, and every attack that it has to stand. A provider's tests inherit from the class."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import ClassVar

import httpx
import jwt
import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import InvalidTokenError
from app.core.errors import ServiceUnavailableError
from tests.auth.conftest import OpenAuthenticator
from tests.fakes.issuer import Issuer, SigningKey, encode_segment, forge, forge_hs256, issuing, now

type Claims = dict[str, object]

ME = "/api/v1/app/users/me"

UNUSABLE_CLAIMS: dict[str, Claims] = {
    "expired": {"exp": now() - 60},
    "expired just outside the leeway": {"exp": now() - 31},
    "expired since 1970": {"exp": 0},
    "expiry that is text": {"exp": "soon"},
    "expiry that is a list": {"exp": [now() + 60]},
    "expiry that is infinite": {"exp": float("inf")},
    "expiry that is null": {"exp": None},
    "not yet valid": {"nbf": now() + 120},
    "not before that is text": {"nbf": "later"},
    "issued in the future": {"iat": now() + 120},
    "issued at that is an object": {"iat": {}},
    "other issuer": {"iss": "https://evil.example.com"},
    "issuer that is a list": {"iss": ["https://evil.example.com"]},
    "issuer that is null": {"iss": None},
    "subject that is a list": {"sub": ["a"]},
    "subject that is a number": {"sub": 1},
    "subject that is null": {"sub": None},
    "subject that is empty": {"sub": ""},
    "subject that is huge": {"sub": "x" * 300},
    "subject with NUL": {"sub": "a\x00b"},
    "subject with a line break": {"sub": "a\nb"},
    "subject with half a character": {"sub": "a\ud800"},
    "other audience": {"aud": "somebody-else"},
    "audience that is an object": {"aud": {"a": 1}},
    "audience that is a list of numbers": {"aud": [1]},
}


class ProviderContract(ABC):
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

    async def test_a_good_token_names_its_subject(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        identity = await authenticator.authenticate(issuer.sign(claims))

        assert (identity.provider, identity.subject) == (self.provider, "user_1")

    async def test_clocks_may_be_a_few_seconds_apart(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims | {"exp": now() - 3, "iat": now() + 3, "nbf": now() + 3})

        assert (await authenticator.authenticate(token)).subject == "user_1"

    async def test_a_token_without_times_but_expiry_is_accepted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        del claims["iat"], claims["nbf"]

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    @pytest.mark.parametrize("changed", UNUSABLE_CLAIMS.values(), ids=UNUSABLE_CLAIMS)
    async def test_unusable_claims_are_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, changed: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(_sign_anything(issuer.keys[0], claims | changed))

    @pytest.mark.parametrize("claim", ["exp", "iss", "sub"])
    async def test_a_required_claim_has_to_be_there(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, claim: str
    ) -> None:
        del claims[claim]

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.sign(claims))

    async def test_an_expired_token_is_called_that(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError, match="expired"):
            await authenticator.authenticate(issuer.sign(claims | {"exp": now() - 60}))

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
    async def test_unsigned_tokens_are_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, algorithm: str
    ) -> None:
        header = {"alg": algorithm, "typ": "JWT", "kid": issuer.keys[0].kid}

        for token in (forge(header, claims, b""), forge(header, claims), jwt.encode(claims, "", algorithm="none")):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(token)

    async def test_a_public_key_is_no_shared_secret(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        key = issuer.keys[0]
        modulus = str(key.jwk.get("n", key.jwk.get("x"))).encode()

        for secret in (key.pem, key.pem.strip(), modulus, b""):
            for header in ({"kid": key.kid}, {}):
                with pytest.raises(InvalidTokenError):
                    await authenticator.authenticate(forge_hs256(claims, secret, **header))

    async def test_an_algorithm_that_the_provider_does_not_use_is_refused(
        self, authenticator: Authenticator, claims: Claims
    ) -> None:
        for algorithm in ("RS384", "RS512", "PS256"):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(SigningKey("RS256").sign(claims, algorithm=algorithm))

    async def test_somebody_elses_key_under_the_same_name_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        other = SigningKey(self.algorithm, number=99, kid=issuer.keys[0].kid)

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(other.sign(claims))

    async def test_the_name_of_another_key_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        issuer.keys.append(SigningKey(self.algorithm, number=98))

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.keys[0].sign(claims, {"kid": issuer.keys[1].kid}))

    async def test_keys_that_a_token_brings_along_are_not_looked_at(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with issuing() as evil:
            evil.keys = [SigningKey(self.algorithm, number=97, kid=issuer.keys[0].kid)]
            brought: tuple[dict[str, object], ...] = (
                {"jku": f"{evil.url}/jwks.json"},
                {"x5u": f"{evil.url}/jwks.json"},
                {"jwk": evil.keys[0].jwk},
                {"jwk": evil.keys[0].jwk, "kid": evil.keys[0].kid + "x"},
            )
            for headers in brought:
                with pytest.raises(InvalidTokenError):
                    await authenticator.authenticate(evil.sign(claims, headers))

            assert evil.fetches == 0

    async def test_a_changed_token_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        header, _, signature = issuer.sign(claims).split(".")

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(f"{header}.{encode_segment(claims | {'sub': 'admin'})}.{signature}")

    async def test_extensions_that_nobody_knows_are_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        for headers in ({"crit": ["exp"], "exp": 1}, {"b64": False, "crit": ["b64"]}):
            token = forge({"alg": self.algorithm, "kid": issuer.keys[0].kid, **headers}, claims)
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(token)

    @pytest.mark.parametrize(
        "rubbish",
        [
            "",
            ".",
            "..",
            "...",
            "a.b.c",
            "null",
            "Bearer x",
            "ü.ü.ü",
            "a.b.c\n",
            "a.b.c.d.e",
            "\x00.\x00.\x00",
            "\ud800.a.b",
            "x" * 100_000,
            "eyJhbGciOiJSUzI1NiJ9..",
            forge([], {}),
            forge(None, None),
            forge({"alg": ["RS256"]}, {}),
            forge({"alg": None}, {}),
            forge({"alg": "RS256", "kid": 5}, {}),
            forge({"alg": "RS256", "kid": {"a": 1}}, {}),
            forge({"alg": "RS256"}, []),
            forge(b"[" * 5000, {}),
            forge(b'{"alg": "RS256", "a": ' + b"9" * 5000 + b"}", {}),
            forge(b"\xff\xfe", {}),
        ],
        ids=range(24),
    )
    async def test_rubbish_is_refused(self, authenticator: Authenticator, rubbish: str) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(rubbish)

    async def test_a_signed_payload_that_is_no_object_is_refused(
        self, authenticator: Authenticator, issuer: Issuer
    ) -> None:
        for payload in (b"[]", b"null", b"1", b"{", b"[" * 5000, b"\xff"):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(_sign_bytes(issuer.keys[0], payload))

    async def test_a_token_that_is_too_long_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.sign(claims | {"padding": "x" * 8192}))

    async def test_a_new_key_is_found(self, authenticator: Authenticator, issuer: Issuer, claims: Claims) -> None:
        await authenticator.authenticate(issuer.sign(claims))
        issuer.rotate(self.algorithm)

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_made_up_key_names_cause_one_fetch(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        await authenticator.authenticate(issuer.sign(claims))
        for number in range(50):
            with suppress(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(claims, {"kid": f"made-up-{number}"}))

        assert issuer.fetches == 2

    async def test_a_known_key_is_good_while_the_issuer_is_down(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        await authenticator.authenticate(issuer.sign(claims))
        issuer.go_down()

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_an_issuer_that_cannot_be_reached_is_not_the_tokens_fault(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims)
        issuer.go_down()

        with pytest.raises(ServiceUnavailableError):
            await authenticator.authenticate(token)

    async def test_roles_in_a_token_mean_nothing(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        boasting = claims | {"role": "admin", "roles": ["admin"], "user_metadata": {"role": "admin"}, "admin": True}

        assert await authenticator.authenticate(issuer.sign(boasting)) == await authenticator.authenticate(
            issuer.sign(claims)
        )

    async def test_an_address_or_name_that_is_none_is_left_out(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        for email, name in ((["a@example.com"], {}), ("no address", "a\x00b"), ("a@b@" + "c" * 400, 7), ("", " ")):
            identity = await authenticator.authenticate(issuer.sign(claims | {"email": email, "name": name}))

            assert (identity.email, identity.name) == (None, None)

    @pytest.fixture
    def trust(self, environment: None, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - the order matters
        """Makes the application trust the issuer. `usefixtures` has it done before there is a client."""
        issuer.keys = [SigningKey(self.algorithm)]
        for name, value in self.settings(issuer).items():
            monkeypatch.setenv(name, value)

    @pytest.mark.usefixtures("trust")
    async def test_the_application_knows_its_users_by_it(
        self, client: httpx.AsyncClient, issuer: Issuer, claims: Claims
    ) -> None:
        headers = {"Authorization": f"Bearer {issuer.sign(claims)}"}
        first, second = [(await client.get(ME, headers=headers)) for _ in range(2)]

        assert first.status_code == 200
        assert first.json()["id"] == second.json()["id"]
        assert first.json()["role"] == "user"

    @pytest.mark.usefixtures("trust")
    async def test_the_application_tells_a_bad_token_from_an_issuer_that_is_down(
        self, client: httpx.AsyncClient, issuer: Issuer, claims: Claims
    ) -> None:
        good, bad = issuer.sign(claims), issuer.sign(claims | {"exp": 0})
        refused = await client.get(ME, headers={"Authorization": f"Bearer {bad}"})
        issuer.go_down()
        issuer.rotate(self.algorithm)
        unknown = await client.get(ME, headers={"Authorization": f"Bearer {issuer.sign(claims)}"})
        known = await client.get(ME, headers={"Authorization": f"Bearer {good}"})

        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "INVALID_TOKEN")
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (503, "SERVICE_UNAVAILABLE")
        assert known.status_code == 200


def _sign_anything(key: SigningKey, claims: Claims) -> str:
    """Signs claims that the library refuses to encode."""
    return _sign_bytes(key, json.dumps(claims).encode())


def _sign_bytes(key: SigningKey, payload: bytes) -> str:
    return jwt.api_jws.encode(payload, key.private, algorithm=key.algorithm, headers={"kid": key.kid})
