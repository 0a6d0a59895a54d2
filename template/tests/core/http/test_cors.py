"""Cross-origin requests."""

import pytest

from tests.core.applications import PUBLIC, Build, client_of, error_of
from tests.core.http.small_module import SMALL, pieces_of

ORIGIN = "https://app.example.com"

CORS = {"BACKEND_CORS_ORIGINS": f'["{ORIGIN}"]'}


class TestCors:
    @pytest.mark.parametrize(
        ("path", "settings", "status"),
        [
            ("thing", {}, 200),
            ("nothing", {}, 404),
            ("fail", {}, 500),
            ("thing", {"RATE_LIMIT_DEFAULT": "1/hour"}, 429),
        ],
    )
    async def test_covers_every_response(self, build: Build, path: str, settings: dict[str, str], status: int) -> None:
        async with client_of(build(SMALL, **CORS, **settings), headers={"Origin": ORIGIN}) as client:
            for _ in range(2):
                answer = await client.get(f"{PUBLIC}/{path}")

        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "Origin" in answer.headers["vary"]
        exposed = answer.headers["access-control-expose-headers"].split(", ")
        assert set(exposed) == {
            "X-Request-ID",
            "X-RateLimit-Limit",
            "X-RateLimit-Remaining",
            "X-RateLimit-Reset",
            "Retry-After",
            "X-Impersonation",
        }

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_covers_bodies_that_are_too_large(self, build: Build, chunked: bool) -> None:  # noqa: FBT001
        async with client_of(build(SMALL, **CORS, MAX_BODY_SIZE="1024"), headers={"Origin": ORIGIN}) as client:
            content = pieces_of(2000) if chunked else b"x" * 2000
            answer = await client.post(f"{PUBLIC}/swallow", content=content)

        assert answer.status_code == 413
        assert answer.headers["access-control-allow-origin"] == ORIGIN

    @pytest.mark.parametrize(
        ("changes", "refused"),
        [
            ({"Origin": "https://evil.example.com"}, ["origin"]),
            ({"Access-Control-Request-Method": "BREW"}, ["method"]),
            ({"Origin": "null", "Access-Control-Request-Method": "BREW"}, ["origin", "method"]),
        ],
    )
    async def test_refuses_a_preflight_with_an_error(
        self, build: Build, changes: dict[str, str], refused: list[str]
    ) -> None:
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"} | changes
        async with client_of(build(SMALL, **CORS)) as client:
            answer = await client.options(f"{PUBLIC}/thing", headers=headers)

        error = error_of(answer)
        assert (answer.status_code, error["code"], error["details"]) == (400, "CORS_REFUSED", {"refused": refused})
        assert "Origin" in answer.headers["Vary"]

    async def test_accepts_a_preflight(self, build: Build) -> None:
        headers = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "PATCH",
            "Access-Control-Request-Headers": "authorization, content-type, x-request-id",
        }
        async with client_of(build(SMALL, **CORS)) as client:
            answer = await client.options(f"{PUBLIC}/thing", headers=headers)

        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert "PATCH" in answer.headers["access-control-allow-methods"]
        assert "authorization" in answer.headers["access-control-allow-headers"]

    async def test_refuses_other_origins(self, build: Build) -> None:
        async with client_of(build(SMALL, **CORS), headers={"Origin": "https://evil.example"}) as client:
            assert "access-control-allow-origin" not in (await client.get(f"{PUBLIC}/thing")).headers

    @pytest.mark.parametrize(
        ("where", "origin", "allowed"),
        [
            ("local", "http://localhost:5173", True),
            ("local", "http://127.0.0.1:3000", True),
            ("local", "http://localhost.evil.example", False),
            ("staging", "http://localhost:5173", False),
        ],
    )
    async def test_admits_development_servers_in_local_by_default(
        self, build: Build, where: str, origin: str, *, allowed: bool
    ) -> None:
        async with client_of(build(SMALL, ENVIRONMENT=where), headers={"Origin": origin}) as client:
            headers = (await client.get(f"{PUBLIC}/thing")).headers

        assert ("access-control-allow-origin" in headers) is allowed

    async def test_is_off_by_default(self, build: Build) -> None:
        async with client_of(build(SMALL), headers={"Origin": ORIGIN}) as client:
            assert "access-control-allow-origin" not in (await client.get(f"{PUBLIC}/thing")).headers
