"""The attacks that every provider must withstand."""

import jwt
import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import InvalidTokenError
from tests.auth.provider_case import Claims, ProviderCase, sign_anything, sign_bytes, sign_with_header
from tests.fakes.issuer import Issuer, SigningKey, encode_segment, forge, forge_hs256, issuing, now

UNUSABLE_CLAIMS: dict[str, Claims] = {
    "expired": {"exp": now() - 60},
    "expired just outside the leeway": {"exp": now() - 31},
    "expired since 1970": {"exp": 0},
    "expiry that is text": {"exp": "soon"},
    "expiry that is a list": {"exp": [now() + 60]},
    "expiry that is infinite": {"exp": float("inf")},
    "expiry that is null": {"exp": None},
    "not yet valid": {"nbf": now() + 86_400},
    "not before that is text": {"nbf": "later"},
    "issued in the future": {"iat": now() + 86_400},
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
    "ID token": {"at_hash": "77QmUPtjPfzWtF2AnpK9RQ"},
    "ID token of Cognito": {"token_use": "id"},
    "ID token of Keycloak": {"typ": "ID"},
    "refresh token of Keycloak": {"typ": "Refresh"},
    "logout token": {"events": {"http://schemas.openid.net/event/backchannel-logout": {}}},
    "token bound to a key": {"cnf": {"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}},
    "actor without a subject": {"act": {"iss": "https://id.example.com"}},
    "actor that is text": {"act": "admin"},
}


class Attacks(ProviderCase):
    """The tests of a provider inherit from `contract.ProviderContract`, and therefore from this class."""

    @pytest.mark.parametrize("changed", UNUSABLE_CLAIMS.values(), ids=UNUSABLE_CLAIMS)
    async def test_unusable_claims_are_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, changed: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(sign_anything(issuer.keys[0], claims | changed))

    @pytest.mark.parametrize("claim", ["exp", "iss", "sub"])
    async def test_a_token_without_a_required_claim_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, claim: str
    ) -> None:
        del claims[claim]

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.sign(claims))

    @pytest.mark.parametrize(
        "kind",
        ["logout+jwt", "application/logout+jwt", "id_token", "dpop+jwt", "secevent+jwt", "entity-statement+jwt", ""],
    )
    async def test_other_kinds_of_tokens_are_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, kind: str
    ) -> None:
        for value in (kind or 5, kind.upper() or ["JWT"]):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(sign_with_header(issuer.keys[0], claims, typ=value))

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
    async def test_unsigned_tokens_are_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, algorithm: str
    ) -> None:
        header = {"alg": algorithm, "typ": "JWT", "kid": issuer.keys[0].kid}

        for token in (forge(header, claims, b""), forge(header, claims), jwt.encode(claims, "", algorithm="none")):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(token)

    async def test_a_public_key_is_not_accepted_as_a_shared_secret(
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

    async def test_a_foreign_key_with_the_same_id_is_refused(
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

    async def test_keys_in_a_token_are_ignored(
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

    async def test_unknown_critical_extensions_are_refused(
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

    async def test_a_signed_payload_that_is_not_an_object_is_refused(
        self, authenticator: Authenticator, issuer: Issuer
    ) -> None:
        for payload in (b"[]", b"null", b"1", b"{", b"[" * 5000, b"\xff"):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(sign_bytes(issuer.keys[0], payload))

    async def test_a_token_that_is_too_long_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.sign(claims | {"padding": "x" * 8192}))

    async def test_roles_in_a_token_are_ignored(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        boasting = {"role": "admin", "roles": ["admin"], "user_metadata": {"role": "admin"}, "admin": True} | claims

        assert await authenticator.authenticate(issuer.sign(boasting)) == await authenticator.authenticate(
            issuer.sign(claims)
        )
