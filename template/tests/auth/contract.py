"""The contract of every provider. The tests of a provider inherit from this class."""

from contextlib import suppress

import httpx
import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import AnonymousUserError, Assurance, ExpiredTokenError, GenuineTokenError, InvalidTokenError
from app.core.errors import ServiceUnavailableError
from tests.auth.attacks import Attacks
from tests.auth.conftest import OpenAuthenticator
from tests.auth.provider_case import Claims, sign_anything, sign_with_header
from tests.fakes.issuer import Issuer, SigningKey, now

ME = "/api/v1/app/users/me"
LONG_LOWER = "\u0130" * 200 + "@example.com"
"""An address that is too long in lower case only."""


class ProviderContract(Attacks):
    """An authenticator that accepts valid tokens, refuses all others, and copes with an issuer that fails."""

    async def test_a_valid_token_has_its_subject(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        identity = await authenticator.authenticate(issuer.sign(claims))

        assert (identity.provider, identity.subject) == (self.provider, "user_1")

    async def test_a_clock_skew_of_a_few_seconds_is_accepted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims | {"exp": now() - 3, "iat": now() + 3, "nbf": now() + 3})

        assert (await authenticator.authenticate(token)).subject == "user_1"

    async def test_a_token_with_only_an_expiry_time_is_accepted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        del claims["iat"], claims["nbf"]

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    @pytest.mark.parametrize("kind", [None, "JWT", "jwt", "at+jwt", "application/at+jwt"], ids=str)
    async def test_the_type_of_an_access_token_is_accepted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, kind: str | None
    ) -> None:
        token = sign_with_header(issuer.keys[0], claims, typ=kind)

        assert (await authenticator.authenticate(token)).subject == "user_1"

    async def test_a_foreign_expired_token_is_invalid_and_not_expired(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        expired = claims | {"exp": now() - 60}
        forged = SigningKey(self.algorithm, number=99, kid=issuer.keys[0].kid).sign(expired)
        wrong: list[Claims] = [{"iss": "https://evil.example.com"}, {"aud": "else"}, {"events": {}}, {"sub": None}]

        for token in (forged, *(sign_anything(issuer.keys[0], expired | change) for change in wrong)):
            with pytest.raises(InvalidTokenError) as raised:
                await authenticator.authenticate(token)
            assert not isinstance(raised.value, GenuineTokenError)

    async def test_an_expired_token_is_called_that(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(ExpiredTokenError, match="expired"):
            await authenticator.authenticate(issuer.sign(claims | {"exp": now() - 60}))

    async def test_a_new_key_is_found(self, authenticator: Authenticator, issuer: Issuer, claims: Claims) -> None:
        await authenticator.authenticate(issuer.sign(claims))
        issuer.rotate(self.algorithm)

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_unknown_key_ids_cause_one_fetch(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        await authenticator.authenticate(issuer.sign(claims))
        for number in range(50):
            with suppress(InvalidTokenError):
                await authenticator.authenticate(issuer.sign(claims, {"kid": f"made-up-{number}"}))

        assert issuer.fetches == 2

    async def test_a_known_key_is_accepted_while_the_issuer_is_down(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        await authenticator.authenticate(issuer.sign(claims))
        issuer.go_down()

        assert (await authenticator.authenticate(issuer.sign(claims))).subject == "user_1"

    async def test_an_unreachable_issuer_is_not_an_invalid_token(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims)
        issuer.go_down()

        with pytest.raises(ServiceUnavailableError):
            await authenticator.authenticate(token)

    @pytest.mark.parametrize("value", [False, "false", "False", "no", "", 0, 1, [True]], ids=repr)
    async def test_an_address_without_a_clear_verification_is_omitted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, value: object
    ) -> None:
        token = issuer.sign(claims | {"email": "me@example.com", "email_verified": value})
        identity = await authenticator.authenticate(token)

        assert (identity.email, identity.email_verified) == (None, False)

    @pytest.mark.parametrize(
        ("claimed", "verified"), [({"email_verified": True}, True), ({"email_verified": "true"}, True), ({}, False)]
    )
    async def test_an_address_that_the_issuer_verified_is_verified(
        self,
        authenticator: Authenticator,
        issuer: Issuer,
        claims: Claims,
        claimed: Claims,
        verified: bool,  # noqa: FBT001
    ) -> None:
        identity = await authenticator.authenticate(issuer.sign(claims | {"email": "me@example.com"} | claimed))

        assert (identity.email, identity.email_verified) == ("me@example.com", verified)

    async def test_a_session_has_one_factor_and_no_actor_by_default(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        assert (await authenticator.authenticate(issuer.sign(claims))).assurance == Assurance()

    async def test_a_support_agent_who_acts_as_a_user_is_marked(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        token = issuer.sign(claims | {"act": {"iss": "https://dashboard.example.com", "sub": "agent_1"}})
        identity = await authenticator.authenticate(token)

        assert (identity.subject, identity.assurance.actor) == ("user_1", "agent_1")

    @pytest.mark.parametrize("value", [True, "true", 1], ids=repr)
    async def test_an_anonymous_user_is_refused(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims, value: object
    ) -> None:
        with pytest.raises(AnonymousUserError):
            await authenticator.authenticate(issuer.sign(claims | {"is_anonymous": value}))

    async def test_an_anonymous_user_is_accepted_if_a_setting_allows_it(
        self, open_authenticator: OpenAuthenticator, issuer: Issuer, claims: Claims
    ) -> None:
        issuer.keys = [SigningKey(self.algorithm)]
        async with open_authenticator({**self.settings(issuer), "AUTH_ALLOW_ANONYMOUS": "true"}) as opened:
            identity = await opened.authenticate(issuer.sign(claims | {"is_anonymous": True}))

        assert identity.assurance.is_anonymous

    async def test_an_invalid_address_or_name_is_omitted(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        for email, name in (
            (["a@example.com"], {}),
            ("no address", "a\x00b"),
            ("a@b@" + "c" * 400, 7),
            ("", " "),
            (LONG_LOWER, 0),
        ):
            identity = await authenticator.authenticate(issuer.sign(claims | {"email": email, "name": name}))

            assert (identity.email, identity.name) == (None, None)

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
    async def test_a_role_in_the_token_is_ignored(
        self, client: httpx.AsyncClient, issuer: Issuer, claims: Claims
    ) -> None:
        admin = {"role": "admin"}
        # A provider's own `role` may have to keep its value.
        stated = {"role": claims.get("role", "admin"), "roles": ["admin"], "permissions": ["admin"]}
        nested = {"app_metadata": admin, "user_metadata": admin, "public_metadata": admin, "metadata": admin}
        headers = {"Authorization": f"Bearer {issuer.sign(claims | stated | nested | {'org_role': 'org:admin'})}"}

        assert (await client.get(ME, headers=headers)).json()["role"] == "user"
        assert (await client.get("/api/v1/admin/users", headers=headers)).status_code == 403

    @pytest.mark.usefixtures("trust")
    async def test_a_bad_token_is_401_and_an_unavailable_issuer_503(
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
        assert unknown.headers["Retry-After"] == "5"
        assert known.status_code == 200
