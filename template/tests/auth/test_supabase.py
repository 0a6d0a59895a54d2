import jwt
import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import Identity, InvalidTokenError
from tests.auth.conftest import OpenAuthenticator, settings_problems
from tests.auth.contract import ProviderContract
from tests.auth.provider_case import Claims
from tests.fakes.issuer import Issuer, SigningKey, forge_hs256, now

LEGACY_SECRET = "legacy-secret-of-forty-characters-or-more"


class TestTokens(ProviderContract):
    provider = "supabase"
    algorithm = "ES256"

    def settings(self, issuer: Issuer) -> dict[str, str]:
        return {"SUPABASE_PROJECT_URL": issuer.url}

    def issuer_claims(self, issuer: Issuer) -> Claims:
        return {"iss": f"{issuer.url}/auth/v1", "aud": "authenticated", "role": "authenticated", "aal": "aal1"}

    async def test_keys_are_read_from_the_url_of_supabase(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        await authenticator.authenticate(issuer.sign(claims))

        assert issuer.paths == ["/auth/v1/.well-known/jwks.json"]

    async def test_rsa_keys_are_accepted(self, authenticator: Authenticator, issuer: Issuer, claims: Claims) -> None:
        issuer.keys = [SigningKey("RS256")]

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_the_audience_is_a_signed_in_user(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        without = {name: value for name, value in claims.items() if name != "aud"}
        for changed in (without, claims | {"aud": "anon"}, claims | {"aud": ""}, claims | {"aud": None}):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(changed))

    async def test_api_keys_of_the_project_are_refused(self, authenticator: Authenticator, issuer: Issuer) -> None:
        for role in ("anon", "service_role"):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(issuer.sign({"iss": "supabase", "role": role, "exp": now() + 60}))

    async def test_only_the_role_of_users_is_accepted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        without = {name: value for name, value in claims.items() if name != "role"}
        for role in ("service_role", "anon", "supabase_admin", "", None, ["authenticated"]):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(claims | {"role": role}))
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.sign(without))

    @pytest.mark.parametrize(("aal", "level"), [("aal2", "aal2"), ("aal1", "aal1"), (None, "aal1"), (["aal2"], "aal1")])
    async def test_the_level_of_assurance_is_read(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, aal: object, level: str
    ) -> None:
        identity = await authenticator.authenticate(issuer.sign(claims | {"aal": aal, "amr": ["mfa"]}))

        assert identity.assurance.level == level

    async def test_only_the_name_is_read_from_metadata_that_users_can_edit(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        edited = {"full_name": "Ada", "email": "admin@example.com", "sub": "admin", "role": "admin"}
        token = issuer.sign(claims | {"email": "ada@example.com", "user_metadata": edited})
        identity = await authenticator.authenticate(token)

        assert identity == Identity(provider="supabase", subject="user_1", email="ada@example.com", name="Ada")
        assert await authenticator.profile(identity) == identity

    async def test_invalid_metadata_is_ignored(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        unusable: tuple[object, ...] = (None, [], "x", {"full_name": ["Ada"]}, {"name": "a\x00"})
        for metadata in unusable:
            token = issuer.sign(claims | {"user_metadata": metadata})

            assert (await authenticator.authenticate(token)).name is None

    async def test_without_the_legacy_secret_hs256_is_refused(
        self, authenticator: Authenticator, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(jwt.encode(claims, LEGACY_SECRET, algorithm="HS256"))


class TestLegacySecret(TestTokens):
    """A project that moves to signing keys: both kinds of tokens are about."""

    def settings(self, issuer: Issuer) -> dict[str, str]:
        return {"SUPABASE_PROJECT_URL": issuer.url, "SUPABASE_JWT_SECRET": LEGACY_SECRET}

    async def test_its_tokens_are_accepted_without_asking_for_keys(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = jwt.encode(claims, LEGACY_SECRET, algorithm="HS256")

        assert (await authenticator.authenticate(token)).subject == "user_1"
        assert issuer.fetches == 0

    async def test_without_the_legacy_secret_hs256_is_refused(
        self, authenticator: Authenticator, claims: Claims
    ) -> None:
        """Here: with it, no other secret is good."""
        for secret in (b"another-secret-of-forty-characters-or-so", b""):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(forge_hs256(claims, secret))

    async def test_the_audience_is_required(self, authenticator: Authenticator, claims: Claims) -> None:
        del claims["aud"]

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(jwt.encode(claims, LEGACY_SECRET, algorithm="HS256"))


class TestUnconfigured:
    async def test_the_error_names_the_missing_settings(self, open_authenticator: OpenAuthenticator) -> None:
        async with open_authenticator({}) as authenticator:
            with pytest.raises(InvalidTokenError, match="SUPABASE_PROJECT_URL is not set"):
                await authenticator.authenticate(SigningKey().sign({"iss": "https://auth.example.com"}))


@pytest.mark.usefixtures("environment")
class TestSettings:
    def test_a_claim_that_users_can_edit_assigns_no_role(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "AUTH_ROLE_CLAIM" in settings_problems(monkeypatch, AUTH_ROLE_CLAIM="user_metadata.role")

    def test_all_problems_are_listed_in_one_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(
            monkeypatch, ENVIRONMENT="production", SUPABASE_JWT_SECRET="short", SUPABASE_WEBHOOK_SECRET="no base64!"
        )

        assert "SUPABASE_PROJECT_URL is required outside local" in reported
        assert "SUPABASE_JWT_SECRET" in reported
        assert "SUPABASE_WEBHOOK_SECRET must be whsec_" in reported
        assert "no base64!" not in reported

    def test_an_http_project_is_for_local_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(monkeypatch, ENVIRONMENT="staging", SUPABASE_PROJECT_URL="http://abcd.supabase.co")

        assert "SUPABASE_PROJECT_URL must start with https://" in reported
