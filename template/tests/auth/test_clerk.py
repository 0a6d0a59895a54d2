import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import InvalidTokenError
from tests.auth.conftest import OpenAuthenticator, settings_problems
from tests.auth.contract import ProviderContract
from tests.auth.provider_case import Claims
from tests.fakes.issuer import Issuer, SigningKey, now

APP = "https://app.example.com"


class TestTokens(ProviderContract):
    provider = "clerk"

    def settings(self, issuer: Issuer) -> dict[str, str]:
        return {"CLERK_ISSUER_URL": issuer.url, "CLERK_AUTHORIZED_PARTIES": f'["{APP}", "https://www.example.com"]'}

    def issuer_claims(self, issuer: Issuer) -> Claims:
        return {"iss": issuer.url, "azp": APP, "sid": "sess_1", "v": 2, "fva": [0, -1], "sts": "active"}

    async def test_a_token_of_another_origin_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        for party in ("https://evil.example.com", f"{APP}/", f"{APP}.evil.com", APP.upper(), "", [APP], 5, {"a": APP}):
            with pytest.raises(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(claims | {"azp": party}))

    async def test_a_token_of_a_native_app_has_no_origin(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        del claims["azp"]

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_a_token_for_another_application_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.sign(claims | {"aud": "convex"}))

    @pytest.mark.parametrize(
        ("ages", "level"), [([5, 0], "aal2"), ([5, -1], "aal1"), ([5], "aal1"), ("5,0", "aal1"), ([0, "0"], "aal1")]
    )
    async def test_a_second_factor_is_recognised(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, ages: object, level: str
    ) -> None:
        identity = await authenticator.authenticate(issuer.sign(claims | {"fva": ages}))

        assert identity.assurance.level == level

    async def test_a_pending_session_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError, match="pending"):
            await authenticator.authenticate(issuer.sign(claims | {"sts": "pending"}))

    async def test_a_key_of_another_kind_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        await authenticator.authenticate(issuer.sign(claims))

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(issuer.rotate("ES256").sign(claims))


class TestUnconfigured:
    async def test_the_error_names_the_missing_settings(self, open_authenticator: OpenAuthenticator) -> None:
        async with open_authenticator({}) as authenticator:
            with pytest.raises(InvalidTokenError, match="CLERK_ISSUER_URL is not set"):
                await authenticator.authenticate(SigningKey().sign({"iss": "https://auth.example.com"}))

    async def test_a_trailing_slash_of_the_issuer_is_ignored(
        self, issuer: Issuer, open_authenticator: OpenAuthenticator
    ) -> None:
        claims = {"sub": "user_1", "exp": now() + 60, "iss": issuer.url}
        async with open_authenticator({"CLERK_ISSUER_URL": f"{issuer.url}/"}) as authenticator:
            assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"


@pytest.mark.usefixtures("environment")
class TestSettings:
    def test_a_claim_that_users_can_edit_assigns_no_role(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert "AUTH_ROLE_CLAIM" in settings_problems(monkeypatch, AUTH_ROLE_CLAIM="unsafe_metadata.role")

    def test_all_missing_settings_are_named_in_one_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(monkeypatch, ENVIRONMENT="production", CLERK_WEBHOOK_SECRET="whsec_no")

        assert "CLERK_ISSUER_URL is required outside local" in reported
        assert "CLERK_AUTHORIZED_PARTIES is required outside local" in reported
        assert "CLERK_WEBHOOK_SECRET must be whsec_" in reported
        assert "whsec_no" not in reported

    def test_an_http_issuer_is_for_local_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        reported = settings_problems(monkeypatch, ENVIRONMENT="staging", CLERK_ISSUER_URL="http://clerk.example.com")

        assert "CLERK_ISSUER_URL must start with https://" in reported

    @pytest.mark.parametrize("value", ['["app.example.com"]', '["https://app.example.com/"]', '["*"]', '[""]'])
    def test_parties_are_origins(self, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
        assert "CLERK_AUTHORIZED_PARTIES must list origins" in settings_problems(
            monkeypatch, CLERK_AUTHORIZED_PARTIES=value
        )
