"""Headers of every response, the documentation and the root."""

import re

import pytest
from starlette.responses import HTMLResponse

from tests.core.applications import API, PUBLIC, Build, client_of, error_of, module
from tests.core.http.small_module import SMALL


class TestRequestId:
    @pytest.mark.parametrize("own", ["abcdefgh", "0190c7e2-8f3a.B_c-9", "x" * 64])
    async def test_of_the_client_is_returned(self, build: Build, own: str) -> None:
        async with client_of(build(SMALL), headers={"X-Request-ID": own}) as client:
            assert (await client.get(f"{PUBLIC}/thing")).headers["x-request-id"] == own

    @pytest.mark.parametrize(
        "forged",
        [
            b"",
            b"short",
            b"x" * 65,
            b"with space",
            b'quote"quote',
            b"two\nlines",
            b"semi;colon",
            b"<b>bold</b>",
            b"\xc3\xa4" * 9,
        ],
    )
    async def test_that_is_malformed_is_replaced(self, build: Build, forged: bytes) -> None:
        async with client_of(build(SMALL)) as client:
            answer = await client.get(f"{PUBLIC}/thing", headers=[(b"x-request-id", forged)])

        made = answer.headers["x-request-id"]
        assert len(made) == 32
        assert made.isalnum()

    async def test_is_new_each_time(self, build: Build) -> None:
        async with client_of(build(SMALL)) as client:
            ids = {(await client.get(f"{PUBLIC}/thing")).headers["x-request-id"] for _ in range(5)}

        assert len(ids) == 5

    async def test_is_in_the_body_of_errors(self, build: Build) -> None:
        async with client_of(build(), headers={"X-Request-ID": "of-the-client"}) as client:
            assert error_of(await client.get("/nothing"))["request_id"] == "of-the-client"


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", [f"{PUBLIC}/health", f"{PUBLIC}/thing", f"{PUBLIC}/fail", "/nothing"])
    async def test_are_in_every_response(self, build: Build, path: str) -> None:
        async with client_of(build(SMALL)) as client:
            headers = (await client.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"

    async def test_do_not_override_headers_of_a_route(self, build: Build) -> None:
        async def page() -> HTMLResponse:
            return HTMLResponse("", headers={"Cache-Control": "max-age=60", "Content-Security-Policy": "img-src *"})

        async with client_of(build(module(("GET", "/page", page)))) as client:
            headers = (await client.get(f"{PUBLIC}/page")).headers

        assert headers.get_list("cache-control") == ["max-age=60"]
        assert headers.get_list("content-security-policy") == ["img-src *"]

    @pytest.mark.parametrize(("where", "there"), [("local", False), ("staging", False), ("production", True)])
    async def test_insist_on_https_in_production_only(self, build: Build, where: str, there: bool) -> None:  # noqa: FBT001
        async with client_of(build(ENVIRONMENT=where)) as client:
            headers = (await client.get(f"{PUBLIC}/health")).headers

        assert ("strict-transport-security" in headers) is there


class TestDocs:
    @pytest.mark.parametrize("where", ["local", "staging"])
    async def test_load_all_files_from_this_application(self, build: Build, where: str) -> None:
        async with client_of(build(ENVIRONMENT=where)) as client:
            page = await client.get("/docs")
            loaded = [await client.get(f"/{path}") for path in re.findall(r'(?:src|href|openapi)="([^"]+)"', page.text)]

        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["script-src"] == policy["connect-src"] == "'self'"
        assert "//" not in page.text
        assert "<script>" not in page.text
        assert [answer.status_code for answer in loaded] == [200] * 5
        assert loaded[-1].json()["openapi"].startswith("3.")

    @pytest.mark.parametrize("path", ["/docs", "/docs/start.js", f"{API}/openapi.json"])
    async def test_are_absent_in_production(self, build: Build, path: str) -> None:
        async with client_of(build(ENVIRONMENT="production")) as client:
            assert (await client.get(path)).status_code == 404


class TestRoot:
    async def test_returns_the_name_and_links(self, build: Build) -> None:
        async with client_of(build()) as client:
            answer = await client.get("/")
            links = [await client.get(answer.json()[name]) for name in ("documentation", "openapi", "health")]

        assert answer.json()["name"] == "Test"
        assert [link.status_code for link in links] == [200] * 3

    async def test_has_no_link_to_the_documentation_in_production(self, build: Build) -> None:
        async with client_of(build(ENVIRONMENT="production")) as client:
            assert (await client.get("/")).json() == {"name": "Test", "health": f"{PUBLIC}/health"}
