import secrets
from datetime import timedelta

import pytest
from pydantic import SecretStr

from app.auth.authenticator import Authenticator
from app.auth.local import LocalTokens, NotLocalError, local_subject, mint
from app.auth.port import Identity, InvalidTokenError
from app.auth.unconfigured import UnconfiguredProvider
from app.core.config.settings import Environment, Settings
from tests.fakes.issuer import SigningKey


@pytest.fixture
def authenticator(settings: Settings) -> Authenticator:
    return Authenticator(UnconfiguredProvider("SOME_SETTING"), LocalTokens(settings))


class TestMint:
    async def test_the_token_names_the_address(self, settings: Settings, authenticator: Authenticator) -> None:
        token = mint(settings, email="me@example.com", name="Me")

        assert await authenticator.authenticate(token) == Identity(
            provider="local",
            subject=local_subject("me@example.com"),
            email="me@example.com",
            email_verified=True,
            name="Me",
        )

    async def test_the_same_address_is_the_same_subject(self, settings: Settings, authenticator: Authenticator) -> None:
        addresses = ("me@example.com", "ME@example.com", " me@example.com ")
        subjects = {(await authenticator.authenticate(mint(settings, email=email))).subject for email in addresses}

        assert len(subjects) == 1

    async def test_accepts_a_subject(self, settings: Settings, authenticator: Authenticator) -> None:
        token = mint(settings, email="me@example.com", subject="me")

        assert (await authenticator.authenticate(token)).subject == "me"

    @pytest.mark.parametrize("environment_name", [Environment.STAGING, Environment.PRODUCTION])
    def test_is_refused_outside_local(self, settings: Settings, environment_name: Environment) -> None:
        deployed = settings.model_copy(update={"ENVIRONMENT": environment_name})

        with pytest.raises(NotLocalError, match="ENVIRONMENT=local only"):
            mint(deployed, email="me@example.com")


class TestAuthenticate:
    async def test_an_expired_token_is_refused(self, settings: Settings, authenticator: Authenticator) -> None:
        token = mint(settings, email="me@example.com", expires_in=timedelta(seconds=-60))

        with pytest.raises(InvalidTokenError, match="expired"):
            await authenticator.authenticate(token)

    async def test_a_token_of_another_secret_is_refused(self, settings: Settings, authenticator: Authenticator) -> None:
        other = settings.model_copy(update={"SECRET_KEY": settings.SECRET_KEY.__class__("x" * 40)})

        with pytest.raises(InvalidTokenError):
            await authenticator.authenticate(mint(other, email="me@example.com"))

    async def test_a_token_of_the_previous_secret_is_accepted(self, settings: Settings) -> None:
        new = SecretStr(secrets.token_hex(32))
        rotated = settings.model_copy(update={"SECRET_KEY": new, "SECRET_KEY_PREVIOUS": (settings.SECRET_KEY,)})
        authenticator = Authenticator(UnconfiguredProvider("SOME_SETTING"), LocalTokens(rotated))

        for signer in (settings, rotated):
            assert await authenticator.authenticate(mint(signer, email="me@example.com"))

    async def test_other_tokens_are_passed_to_the_provider(self, authenticator: Authenticator) -> None:
        with pytest.raises(InvalidTokenError, match="SOME_SETTING"):
            await authenticator.authenticate(SigningKey().sign({"iss": "https://auth.example.com"}))

    async def test_a_malformed_token_is_not_passed_to_the_provider(self, authenticator: Authenticator) -> None:
        with pytest.raises(InvalidTokenError, match="not valid"):
            await authenticator.authenticate("a.b.c")

    async def test_it_is_refused_outside_local(self, settings: Settings) -> None:
        deployed = Authenticator(UnconfiguredProvider("SOME_SETTING"))

        with pytest.raises(InvalidTokenError, match="SOME_SETTING"):
            await deployed.authenticate(mint(settings, email="me@example.com"))

    def test_a_local_token_is_refused_outside_local(self, settings: Settings) -> None:
        deployed = settings.model_copy(update={"ENVIRONMENT": Environment.PRODUCTION})

        with pytest.raises(NotLocalError):
            LocalTokens(deployed)

    async def test_the_profile_is_in_the_token(self, settings: Settings, authenticator: Authenticator) -> None:
        identity = await authenticator.authenticate(mint(settings, email="me@example.com"))

        assert await authenticator.profile(identity) == identity
