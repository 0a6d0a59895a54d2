import json
import secrets
from collections.abc import AsyncIterator

import jwt
import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import ExpiredTokenError, Identity, InvalidTokenError
from app.core.config.settings import Settings
from tests.auth.conftest import OpenAuthenticator, settings_problems
from tests.auth.contract import ProviderContract
from tests.auth.provider_case import Claims
from tests.fakes.issuer import Issuer, SigningKey, forge_hs256, now

ISSUER = "https://auth.example.com/"
AUDIENCE = "https://api.example.com"


class TestRsaKeys(ProviderContract):
    provider = "custom"

    def settings(self, issuer: Issuer) -> dict[str, str]:
        return {"OAUTH_JWKS_URL": f"{issuer.url}/jwks.json", "OAUTH_AUDIENCE": AUDIENCE, "OAUTH_ISSUER": ISSUER}

    def issuer_claims(self, issuer: Issuer) -> Claims:  # noqa: ARG002 - the contract's signature
        return {"iss": ISSUER, "aud": AUDIENCE}

    async def test_the_audience_is_required(self, authenticator: Authenticator, issuer: Issuer, claims: Claims) -> None:
        without = {name: value for name, value in claims.items() if name != "aud"}
        for changed in (without, claims | {"aud": None}, claims | {"aud": ""}, claims | {"aud": []}):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(changed))

    async def test_one_matching_audience_is_enough(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims | {"aud": ["https://other.example.com", AUDIENCE]})

        assert (await authenticator.authenticate(token)).subject == "user_1"

    async def test_address_and_name_are_read_from_the_token(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims | {"email": "me@example.com", "name": "Me Myself"})
        identity = await authenticator.authenticate(token)

        assert identity == Identity(provider="custom", subject="user_1", email="me@example.com", name="Me Myself")
        assert await authenticator.profile(identity) == identity

    async def test_two_factors_are_recognised(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims | {"amr": ["pwd", "mfa"]})

        assert (await authenticator.authenticate(token)).assurance.level == "aal2"

    async def test_the_client_id_is_not_an_audience_of_other_tokens(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        del claims["aud"]
        for changes in ({"client_id": AUDIENCE}, {"client_id": AUDIENCE, "token_use": "id"}, {"token_use": "access"}):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(claims | changes))

    async def test_a_token_signed_with_secret_key_is_refused(
        self, authenticator: Authenticator, settings: Settings, claims: Claims
    ) -> None:
        token = jwt.encode(claims, settings.SECRET_KEY.get_secret_value(), algorithm="HS256")

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(token)


@pytest.mark.parametrize("algorithm", ["ES256", "EdDSA"])
class TestOtherKinds:
    """Of keys, at the same issuer."""

    @pytest.fixture
    async def authenticator(
        self, issuer: Issuer, open_authenticator: OpenAuthenticator, algorithm: str
    ) -> AsyncIterator[Authenticator]:
        issuer.keys = [SigningKey(algorithm), SigningKey("RS256")]
        async with open_authenticator(TestRsaKeys().settings(issuer)) as opened:
            yield opened

    @pytest.fixture
    def claims(self) -> Claims:
        return {"iss": ISSUER, "aud": AUDIENCE, "sub": "user_1", "exp": now() + 60}

    async def test_its_tokens_are_accepted(self, authenticator: Authenticator, issuer: Issuer, claims: Claims) -> None:
        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_its_public_key_is_not_accepted_as_a_shared_secret(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        key = issuer.keys[0]
        for secret in (key.pem, str(key.jwk["x"]).encode()):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(forge_hs256(claims, secret, kid=key.kid))

    async def test_its_key_id_is_not_valid_for_another_algorithm(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.keys[1].sign(claims, {"kid": issuer.keys[0].kid}))

    async def test_a_foreign_key_with_its_id_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, algorithm: str
    ) -> None:
        other = SigningKey(algorithm, number=99, kid=issuer.keys[0].kid)

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(other.sign(claims))


class TestSharedSecret:
    """Without OAUTH_JWKS_URL."""

    @pytest.fixture
    def claims(self) -> Claims:
        return {"iss": ISSUER, "sub": "user_1", "exp": now() + 60}

    def sign(self, settings: Settings, claims: Claims, algorithm: str = "HS256") -> str:
        return jwt.encode(claims, settings.SECRET_KEY.get_secret_value().ljust(64, "x")[:64], algorithm=algorithm)

    async def test_a_token_of_secret_key_is_accepted(
        self, open_authenticator: OpenAuthenticator, settings: Settings, claims: Claims
    ) -> None:
        async with open_authenticator({"OAUTH_ISSUER": ISSUER}) as authenticator:
            assert (await authenticator.authenticate(self.sign(settings, claims))).subject == "user_1"

    async def test_other_tokens_are_refused(
        self, open_authenticator: OpenAuthenticator, settings: Settings, claims: Claims
    ) -> None:
        tokens = [
            jwt.encode(claims, "another-secret-of-a-decent-length", algorithm="HS256"),
            self.sign(settings, claims, "HS512"),
            SigningKey().sign(claims),
            jwt.encode(claims, "", algorithm="none"),
            self.sign(settings, claims | {"iss": "https://evil.example.com"}),
            self.sign(settings, claims | {"exp": now() - 60}),
            self.sign(settings, claims | {"aud": "somebody-else"}),
        ]
        async with open_authenticator({"OAUTH_ISSUER": ISSUER}) as authenticator:
            for token in tokens:
                with pytest.raises(InvalidTokenError):
                    await authenticator.authenticate(token)

    async def test_the_audience_is_checked_if_it_is_set(
        self, open_authenticator: OpenAuthenticator, settings: Settings, claims: Claims
    ) -> None:
        async with open_authenticator({"OAUTH_ISSUER": ISSUER, "OAUTH_AUDIENCE": AUDIENCE}) as authenticator:
            assert await authenticator.authenticate(self.sign(settings, claims | {"aud": AUDIENCE}))
            for wrong in ({}, {"aud": "somebody-else"}):
                with pytest.raises(InvalidTokenError):
                    await authenticator.authenticate(self.sign(settings, claims | wrong))

    async def test_a_previous_secret_is_accepted_during_a_rotation(
        self, open_authenticator: OpenAuthenticator, settings: Settings, claims: Claims
    ) -> None:
        before = self.sign(settings, claims)
        values = {"OAUTH_ISSUER": ISSUER, "SECRET_KEY": secrets.token_hex(32)}
        previous = {"SECRET_KEY_PREVIOUS": json.dumps([settings.SECRET_KEY.get_secret_value()])}
        async with open_authenticator(values | previous) as authenticator:
            assert (await authenticator.authenticate(before)).subject == "user_1"
            assert (await authenticator.authenticate(self.sign(Settings(), claims))).subject == "user_1"
            with pytest.raises(ExpiredTokenError):
                await authenticator.authenticate(self.sign(settings, claims | {"exp": now() - 60}))
        async with open_authenticator(values | {"SECRET_KEY_PREVIOUS": "[]"}) as authenticator:
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(before)

    async def test_without_an_issuer_only_local_tokens_are_accepted(
        self, open_authenticator: OpenAuthenticator, settings: Settings, claims: Claims
    ) -> None:
        async with open_authenticator({}) as authenticator:
            with pytest.raises(InvalidTokenError, match="OAUTH_ISSUER"):
                await authenticator.authenticate(self.sign(settings, claims))


@pytest.mark.usefixtures("environment")
class TestSettings:
    def test_the_issuer_is_required_outside_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(monkeypatch, ENVIRONMENT="production")

        assert "OAUTH_ISSUER is required outside local" in reported
        assert "OAUTH_AUDIENCE is required outside local" in reported

    @pytest.mark.parametrize("value", [",", "a,", " ,a"])
    def test_an_audience_is_never_empty(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        assert "OAUTH_AUDIENCE contains an empty" in settings_problems(monkeypatch, OAUTH_AUDIENCE=value)

    def test_a_previous_secret_must_be_strong_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(monkeypatch, SECRET_KEY_PREVIOUS='["short-one"]')

        assert "SECRET_KEY_PREVIOUS" in reported
        assert "short-one" not in reported

    def test_audience_and_issuer_are_required_with_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(monkeypatch, OAUTH_JWKS_URL="https://auth.example.com/jwks.json")

        assert "OAUTH_AUDIENCE is required with OAUTH_JWKS_URL" in reported
        assert "OAUTH_ISSUER is required with OAUTH_JWKS_URL" in reported

    @pytest.mark.parametrize(
        "url",
        [
            "http://auth.example.com/jwks.json",
            "file:///etc/passwd",
            "auth.example.com",
            "https://",
            "https://user:hunter2@auth.example.com/",
            "https://auth.example.com/ x",
            "https://auth.example.com:port/",
        ],
    )
    def test_the_url_of_the_keys_must_be_https(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        reported = settings_problems(
            monkeypatch, ENVIRONMENT="staging", OAUTH_JWKS_URL=url, OAUTH_AUDIENCE=AUDIENCE, OAUTH_ISSUER=ISSUER
        )

        assert "OAUTH_JWKS_URL" in reported
        assert "hunter2" not in reported

    def test_a_provider_that_was_not_chosen_is_absent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "AUTH_PROVIDER must be custom" in settings_problems(monkeypatch, AUTH_PROVIDER="other")
