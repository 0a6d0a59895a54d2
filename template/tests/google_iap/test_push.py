"""The token of a push request: who may send notifications."""

import time

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.core.inbox.service import list_events
from app.core.runtime import Runtime
from app.dev.servers.google_play.store import PUSH_KEY_ID, GooglePlay, push_body
from tests.google_iap.conftest import MONTHLY, WEBHOOK, Postman


@pytest.fixture
def body(google_play: GooglePlay) -> bytes:
    google_play.state.buy(MONTHLY)
    return push_body(google_play.state.messages[0])


async def refused(postman: Postman, runtime: Runtime, body: bytes, token: str | None) -> None:
    headers = {"Content-Type": "application/json", **({"Authorization": token} if token is not None else {})}
    response = await postman.post(body, headers)
    assert (response.status_code, response.json()["error"]["code"]) == (401, "INVALID_TOKEN")
    assert await list_events(runtime) == []


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer a.b.c", "Basic YTpi", "Bearer " + "a" * 20_000])
async def test_without_a_token(postman: Postman, runtime: Runtime, body: bytes, header: str | None) -> None:
    await refused(postman, runtime, body, header)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "https://other.example.com"},
        {"aud": None},
        {"email": "attacker@other.iam.gserviceaccount.com"},
        {"email": None},
        {"email_verified": False},
        {"email_verified": "true"},
        {"email_verified": None},
        {"iss": "https://attacker.example.com"},
        {"iss": None},
        {"exp": None},
    ],
    ids=lambda claims: "-".join(map(str, *claims.items())),
)
async def test_a_genuine_token_of_someone_else(
    postman: Postman, runtime: Runtime, google_play: GooglePlay, body: bytes, claims: dict[str, object]
) -> None:
    await refused(postman, runtime, body, f"Bearer {google_play.push_token(**claims)}")


async def test_a_genuine_token_outside_of_its_time(
    postman: Postman, runtime: Runtime, google_play: GooglePlay, body: bytes
) -> None:
    for claims in ({"exp": int(time.time()) - 60}, {"nbf": int(time.time()) + 600}):
        await refused(postman, runtime, body, f"Bearer {google_play.push_token(**claims)}")


async def test_a_token_of_a_foreign_key(
    postman: Postman, runtime: Runtime, google_play: GooglePlay, body: bytes
) -> None:
    claims = jwt.decode(google_play.push_token(), options={"verify_signature": False})
    foreign = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    for kid in (PUSH_KEY_ID, "other"):
        token = jwt.encode(claims, foreign, algorithm="RS256", headers={"kid": kid})
        await refused(postman, runtime, body, f"Bearer {token}")


async def test_a_token_that_is_signed_with_the_public_key(
    postman: Postman, runtime: Runtime, google_play: GooglePlay, body: bytes
) -> None:
    claims = jwt.decode(google_play.push_token(), options={"verify_signature": False})
    public = google_play.push_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, payload, _ = jwt.encode(claims, "x" * 64, algorithm="HS256", headers={"kid": PUSH_KEY_ID}).split(".")
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        f"{header}.{payload}".encode(), public
    )
    for token in (
        f"{header}.{payload}.{jwt.utils.base64url_encode(signature).decode()}",
        jwt.encode(claims, "", algorithm="none", headers={"kid": PUSH_KEY_ID}),
    ):
        await refused(postman, runtime, body, f"Bearer {token}")


async def test_the_token_is_checked_before_the_body(client: httpx.AsyncClient) -> None:
    response = await client.post(WEBHOOK, json={"message": 5})

    assert response.status_code == 401


async def test_while_the_public_keys_are_unavailable(
    postman: Postman, runtime: Runtime, google_play: GooglePlay, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(google_play, "key_set", dict)
    response = await postman.post(body)

    assert response.status_code == 503
    assert await list_events(runtime) == []
