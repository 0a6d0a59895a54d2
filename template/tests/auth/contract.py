"""What every provider has to do. A provider's tests inherit from the class."""

from contextlib import suppress

import httpx
import pytest

from app.auth.authenticator import Authenticator
from app.auth.port import InvalidTokenError
from app.core.errors import ServiceUnavailableError
from tests.auth.attacks import Attacks
from tests.auth.provider_case import Claims
from tests.fakes.issuer import Issuer, now

ME = "/api/v1/app/users/me"


class ProviderContract(Attacks):
    """It lets the right ones in, keeps the wrong ones out, and stays calm when its issuer does not."""

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

    async def test_an_expired_token_is_called_that(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        with pytest.raises(InvalidTokenError, match="expired"):
            await authenticator.authenticate(issuer.sign(claims | {"exp": now() - 60}))

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

    async def test_an_address_or_name_that_is_none_is_left_out(
        self, authenticator: Authenticator, issuer: Issuer, claims: Claims
    ) -> None:
        for email, name in ((["a@example.com"], {}), ("no address", "a\x00b"), ("a@b@" + "c" * 400, 7), ("", " ")):
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
        assert unknown.headers["Retry-After"] == "5"
        assert known.status_code == 200
