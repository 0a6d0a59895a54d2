"""Limits of public routes, by address."""

import asyncio

import pytest

from tests.core.applications import PUBLIC, Build, client_of, error_of
from tests.core.rate_limiting.requests import HEADERS, SMALL, remaining, statuses


class TestPublicRoutes:
    async def test_refuse_an_address_beyond_the_limit(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="2/hour")) as client:
            assert await statuses(client, "thing", "thing", "thing") == [200, 200, 429]

    async def test_return_when_to_retry(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            await statuses(client, "thing")
            answer = await client.get(f"{PUBLIC}/thing")

        seconds = int(answer.headers["retry-after"])
        assert 0 < seconds <= 3600
        assert answer.headers["x-ratelimit-reset"] == answer.headers["retry-after"]
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert error_of(answer)["code"] == "RATE_LIMITED"
        assert error_of(answer)["details"] == {"retry_after": seconds}

    async def test_count_down(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="60/hour")) as client:
            answers = [await client.get(f"{PUBLIC}/thing") for _ in range(3)]

        assert [remaining(answer) for answer in answers] == [59, 58, 57]
        assert all(answer.headers["x-ratelimit-limit"] == "60" for answer in answers)
        assert all("retry-after" not in answer.headers for answer in answers)

    async def test_count_each_address_separately(self, build: Build) -> None:
        app = build(SMALL, RATE_LIMIT_DEFAULT="1/hour")
        async with client_of(app, peer="192.0.2.1") as one, client_of(app, peer="192.0.2.2") as another:
            assert await statuses(one, "thing", "thing") == [200, 429]
            assert await statuses(another, "thing") == [200]

    async def test_count_by_route_and_not_by_path(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="2/hour")) as client:
            assert await statuses(client, "things/1", "things/2", "things/3", "other") == [200, 200, 429, 200]

    async def test_count_methods_separately(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            await client.get(f"{PUBLIC}/things/1")
            assert (await client.delete(f"{PUBLIC}/things/1")).status_code == 200

    async def test_that_share_an_endpoint_are_counted_separately(self, build: Build) -> None:
        # `/thing` and `/other` are one function.
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            assert await statuses(client, "thing", "other") == [200, 200]

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "thing", 200),
            ("GET", "refuse", 409),
            ("GET", "fail", 500),
            ("GET", "nothing", 404),
            ("PUT", "thing", 405),
            ("POST", "thing", 422),
        ],
    )
    async def test_return_the_remaining_number_with_every_status(
        self, build: Build, method: str, path: str, status: int
    ) -> None:
        async with client_of(build(SMALL)) as client:
            answer = await client.request(method, f"{PUBLIC}/{path}")

        assert answer.status_code == status
        assert [name in answer.headers for name in HEADERS] == [True, True, True]

    async def test_count_requests_with_an_invalid_body(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            headers = {"Content-Type": "application/json"}
            answers = [await client.post(f"{PUBLIC}/thing", content="{", headers=headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [422, 429]

    async def test_count_a_request_once(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="60/hour")) as client:
            answers = [await client.post(f"{PUBLIC}/thing", json={}) for _ in range(2)]

        assert [remaining(answer) for answer in answers] == [59, 58]

    async def test_admit_no_more_if_all_requests_are_concurrent(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="10/hour")) as client:
            answers = await asyncio.gather(*(client.get(f"{PUBLIC}/thing") for _ in range(50)))

        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 40


class TestProxies:
    async def test_that_are_not_trusted_count_as_the_client(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            answers = [
                await client.get(f"{PUBLIC}/thing", headers={"X-Forwarded-For": f"192.0.2.{number}"})
                for number in range(2)
            ]

        assert [answer.status_code for answer in answers] == [200, 429]

    async def test_that_are_trusted_separate_clients(self, build: Build) -> None:
        app = build(SMALL, RATE_LIMIT_DEFAULT="1/hour", TRUSTED_PROXY_COUNT="1")
        forwarded = ["192.0.2.1", "192.0.2.2", "192.0.2.9, 192.0.2.1"]
        async with client_of(app) as client:
            answers = [await client.get(f"{PUBLIC}/thing", headers={"X-Forwarded-For": value}) for value in forwarded]

        assert [answer.status_code for answer in answers] == [200, 200, 429]


class TestUnknownRoutes:
    async def test_share_one_count(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="2/hour")) as client:
            assert await statuses(client, "a", "/b", "/api/v1/app/c", "thing") == [404, 404, 429, 200]


class TestHealth:
    async def test_is_never_refused(self, build: Build) -> None:
        async with client_of(build(RATE_LIMIT_DEFAULT="1/hour")) as client:
            answers = [await client.get(f"{PUBLIC}/health") for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200] * 5
        assert all(name not in answers[0].headers for name in HEADERS)
