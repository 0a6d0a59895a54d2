"""Access tokens in the form of every issuer that docs/auth-custom.md names."""

from dataclasses import dataclass

import pytest

from app.auth.port import Identity, InvalidTokenError
from tests.auth.conftest import OpenAuthenticator
from tests.auth.provider_case import Claims, sign_with_header
from tests.fakes.issuer import Issuer, now


@dataclass(frozen=True, kw_only=True)
class Form:
    """The claims of an issuer's tokens, taken from its documentation.

    Attributes:
        audience: the value of OAUTH_AUDIENCE that docs/auth-custom.md recommends.
        id_token: how the claims of its ID tokens differ.
    """

    issuer: str
    audience: str
    claims: Claims
    id_token: Claims
    typ: str | None = "JWT"
    email: str | None = None


CLIENT = "57v0rj1s7gsl8fp4l2mdc4e7vd"
API = "https://api.example.com"
TENANT = "6babcaad-604b-40ac-a9d7-9fd97c0b779f"
ENTRA_API = "ef1da9d4-ff77-4c3e-a005-840c3f830745"

FORMS = {
    "auth0": Form(
        issuer="https://tenant.eu.auth0.com/",
        audience=API,
        claims={"aud": [API, "https://tenant.eu.auth0.com/userinfo"], "azp": CLIENT, "scope": "openid profile"},
        id_token={"aud": CLIENT, "nonce": "n", "sid": "s"},
    ),
    "auth0, RFC 9068": Form(
        issuer="https://tenant.eu.auth0.com/",
        audience=API,
        claims={"aud": API, "client_id": CLIENT, "jti": "j", "scope": "openid"},
        id_token={"aud": CLIENT},
        typ="at+jwt",
    ),
    "keycloak": Form(
        issuer="https://id.example.com/realms/main",
        audience=API,
        claims={
            "aud": [API, "account"],
            "typ": "Bearer",
            "azp": "web",
            "acr": "1",
            "realm_access": {"roles": ["offline_access"]},
            "email": "ada@example.com",
            "email_verified": True,
        },
        id_token={"aud": "web", "typ": "ID", "at_hash": "h"},
        email="ada@example.com",
    ),
    "cognito": Form(
        issuer="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a1B2c3D4e",
        audience=CLIENT,
        claims={
            "client_id": CLIENT,
            "origin_jti": "o",
            "event_id": "e",
            "token_use": "access",
            "scope": "openid",
            "username": "ada",
        },
        id_token={"aud": CLIENT, "client_id": None, "token_use": "id", "email": "ada@example.com"},
        typ=None,
    ),
    "cognito, several clients": Form(
        issuer="https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_a1B2c3D4e",
        audience=f"web-client, {CLIENT}",
        claims={"client_id": CLIENT, "token_use": "access", "username": "ada"},
        id_token={"aud": CLIENT, "token_use": "id"},
        typ=None,
    ),
    "entra, version 2": Form(
        issuer=f"https://login.microsoftonline.com/{TENANT}/v2.0",
        audience=ENTRA_API,
        claims={"aud": ENTRA_API, "azp": CLIENT, "oid": "o", "tid": TENANT, "scp": "access_as_user", "ver": "2.0"},
        id_token={"aud": CLIENT},
    ),
    "zitadel": Form(
        issuer="https://main-abc123.zitadel.cloud",
        audience="269678223232",
        claims={"aud": ["259042102345@main", "269678223232"], "client_id": "259042102345@main", "jti": "j"},
        id_token={"aud": ["259042102345@main"], "at_hash": "h"},
    ),
}


def changed(claims: Claims, changes: Claims) -> Claims:
    """Return the claims with changes; `None` removes a claim."""
    return {name: value for name, value in (claims | changes).items() if value is not None}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
class TestIssuers:
    @pytest.fixture
    def values(self, issuer: Issuer, form: Form) -> dict[str, str]:
        return {
            "OAUTH_JWKS_URL": f"{issuer.url}/jwks.json",
            "OAUTH_ISSUER": form.issuer,
            "OAUTH_AUDIENCE": form.audience,
        }

    @pytest.fixture
    def claims(self, form: Form) -> Claims:
        return {"iss": form.issuer, "sub": "user_1", "iat": now(), "exp": now() + 300, **form.claims}

    async def test_an_access_token_is_accepted(
        self, open_authenticator: OpenAuthenticator, issuer: Issuer, form: Form, claims: Claims, values: dict[str, str]
    ) -> None:
        async with open_authenticator(values) as authenticator:
            identity = await authenticator.authenticate(sign_with_header(issuer.keys[0], claims, typ=form.typ))

        assert identity == Identity(
            provider="custom", subject="user_1", email=form.email, email_verified=form.email is not None
        )

    async def test_other_tokens_of_the_issuer_are_refused(
        self, open_authenticator: OpenAuthenticator, issuer: Issuer, form: Form, claims: Claims, values: dict[str, str]
    ) -> None:
        other_client: Claims = {"client_id": "other"} if "aud" not in form.claims else {"aud": "other"}
        async with open_authenticator(values) as authenticator:
            other_issuer: Claims = {"iss": form.issuer + "x"}
            for changes in (form.id_token, other_client, other_issuer):
                token = sign_with_header(issuer.keys[0], changed(claims, changes), typ=form.typ)
                with pytest.raises(InvalidTokenError):
                    await authenticator.authenticate(token)
