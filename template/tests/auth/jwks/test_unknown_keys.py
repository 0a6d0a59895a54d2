"""Tokens with unknown keys, and published keys that cannot be used."""

import asyncio

import pytest

from app.auth.jwks import (
    SEARCH_INTERVAL_SECONDS,
    SEARCH_PERIOD_SECONDS,
    KeySet,
)
from tests.auth.jwks.key_sets import Clock, outcome
from tests.fakes.issuer import Issuer, SigningKey


class TestUnknownKey:
    async def test_a_new_key_is_fetched_immediately(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        new = issuer.rotate()

        assert await outcome(keys, new.kid) == new.kid

    async def test_unknown_keys_cause_at_most_two_fetches_per_minute(
        self, keys: KeySet, issuer: Issuer, clock: Clock
    ) -> None:
        await outcome(keys, "RS256-1")
        for number in range(170):
            clock.wait(1)
            assert await outcome(keys, f"made-up-{number}") == "unknown"

        assert issuer.fetches == 1 + 6

    async def test_an_unknown_key_delays_a_new_one_by_seconds(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        await outcome(keys, "made-up")
        new = issuer.rotate()
        assert await outcome(keys, new.kid) == "unknown"
        clock.wait(SEARCH_INTERVAL_SECONDS)

        assert await outcome(keys, new.kid) == new.kid

    async def test_after_a_flood_new_keys_are_fetched_again(self, keys: KeySet, issuer: Issuer, clock: Clock) -> None:
        await outcome(keys, "RS256-1")
        await outcome(keys, "made-up")
        clock.wait(SEARCH_INTERVAL_SECONDS)
        await outcome(keys, "made-up")
        new = issuer.rotate()
        clock.wait(SEARCH_INTERVAL_SECONDS)
        assert await outcome(keys, new.kid) == "unknown"
        clock.wait(SEARCH_PERIOD_SECONDS - 2 * SEARCH_INTERVAL_SECONDS)

        assert await outcome(keys, new.kid) == new.kid

    async def test_concurrent_requests_with_a_new_key_share_one_fetch(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        new = issuer.rotate()
        outcomes = await asyncio.gather(*(outcome(keys, new.kid) for _ in range(100)))

        assert set(outcomes) == {new.kid}
        assert issuer.fetches == 2

    async def test_a_flood_of_unknown_keys_causes_one_fetch(self, keys: KeySet, issuer: Issuer) -> None:
        await outcome(keys, "RS256-1")
        outcomes = await asyncio.gather(*(outcome(keys, f"made-up-{number}") for number in range(500)))

        assert set(outcomes) == {"unknown"}
        assert issuer.fetches == 2

    async def test_the_first_fetch_counts(self, keys: KeySet, issuer: Issuer) -> None:
        assert await outcome(keys, "made-up") == "unknown"
        assert issuer.fetches == 1

    async def test_a_token_without_a_key_id_is_accepted_if_there_is_one_key(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.keys = [SigningKey("RS256"), SigningKey("ES256")]

        assert await outcome(keys, None, "ES256") == "ES256-1"

    async def test_a_token_without_a_key_id_is_refused_if_there_are_two_keys(
        self, keys: KeySet, issuer: Issuer
    ) -> None:
        issuer.keys = [SigningKey("RS256"), SigningKey("RS256", number=2)]

        assert await outcome(keys, None) == "unknown"

    async def test_a_key_is_valid_for_its_algorithm_only(self, keys: KeySet) -> None:
        assert await outcome(keys, "RS256-1", "ES256") == "unknown"


def published(key: SigningKey, **changes: object) -> dict[str, object]:
    return {name: value for name, value in {**key.jwk, **changes}.items() if value is not None}


UNUSABLE_KEYS = {
    "for encryption": published(SigningKey(), use="enc"),
    "for signing only": published(SigningKey(), use=None, key_ops=["sign"]),
    "of another algorithm": published(SigningKey(), alg="RS512"),
    "of an algorithm for another type": published(SigningKey(), alg="ES256"),
    "too short": SigningKey(bits=1024).jwk,
    "symmetric": {"kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "alg": "HS256", "kid": "RS256-1"},
    "symmetric and called RS256": {"kty": "oct", "k": "c2VjcmV0", "alg": "RS256", "kid": "RS256-1"},
    "with a name that is none": published(SigningKey(), kid=["RS256-1"]),
    "with half a key": published(SigningKey(), n=None),
    "private": published(SigningKey(), d="AQAB"),
    "on a curve that is not used": {"kty": "EC", "crv": "P-384", "x": "AQ", "y": "AQ", "kid": "RS256-1"},
}


class TestPublishedKeys:
    @pytest.fixture(autouse=True)
    def another_key(self, issuer: Issuer) -> None:
        issuer.keys = [SigningKey("ES256")]

    @pytest.mark.parametrize("jwk", UNUSABLE_KEYS.values(), ids=UNUSABLE_KEYS)
    async def test_an_unusable_key_is_ignored(self, keys: KeySet, issuer: Issuer, jwk: dict[str, object]) -> None:
        issuer.extra_jwks = [jwk]

        assert await outcome(keys, "RS256-1") == "unknown"
        assert await outcome(keys, "ES256-1", "ES256") == "ES256-1"

    async def test_use_and_algorithm_are_optional(self, keys: KeySet, issuer: Issuer) -> None:
        issuer.extra_jwks = [published(SigningKey(), use=None, alg=None)]

        assert await outcome(keys, "RS256-1") == "RS256-1"
