"""What every request passes through."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, StreamingResponse

from app.core.http.body_limit import MAX_DISCARDED
from app.core.manifest import Module
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from tests.core.applications import API, PUBLIC, Build, client_of, error_of, module

ORIGIN = "https://app.example.com"
CORS = {"BACKEND_CORS_ORIGINS": f'["{ORIGIN}"]'}


async def read() -> dict[str, str]:
    return {}


async def fail() -> None:
    raise RuntimeError


async def swallow(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


async def take(body: dict[str, str]) -> dict[str, int]:
    return {"size": len(body)}


async def break_off() -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError

    return StreamingResponse(pieces())


SMALL = module(
    ("GET", "/thing", read),
    ("GET", "/fail", fail),
    ("POST", "/swallow", swallow),
    ("POST", "/take", take),
    ("GET", "/break", break_off),
)


async def pieces_of(*sizes: int) -> AsyncIterator[bytes]:
    """A body that does not say how long it is."""
    for size in sizes:
        yield b"x" * size


async def call(app: FastAPI, path: str, *received: dict[str, Any], method: str = "GET") -> list[dict[str, Any]]:
    """What the application sends, message by message."""
    sent: list[dict[str, Any]] = []
    messages = iter(received or ({"type": "http.request", "body": b"", "more_body": False},))

    async def receive() -> dict[str, Any]:
        return next(messages, {"type": "http.disconnect"})

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
        "client": ("192.0.2.1", 1),
        "server": ("testserver", 80),
    }
    try:
        await app(scope, receive, send)
    except RuntimeError as error:
        sent.append({"type": "raised", "error": error})
    return sent


class TestRequestId:
    @pytest.mark.parametrize("own", ["abcdefgh", "0190c7e2-8f3a.B_c-9", "x" * 64])
    async def test_of_the_client_is_kept(self, build: Build, own: str) -> None:
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
    async def test_that_is_no_harmless_token_is_replaced(self, build: Build, forged: bytes) -> None:
        async with client_of(build(SMALL)) as client:
            answer = await client.get(f"{PUBLIC}/thing", headers=[(b"x-request-id", forged)])

        made = answer.headers["x-request-id"]
        assert len(made) == 32
        assert made.isalnum()

    async def test_is_new_each_time(self, build: Build) -> None:
        async with client_of(build(SMALL)) as client:
            ids = {(await client.get(f"{PUBLIC}/thing")).headers["x-request-id"] for _ in range(5)}

        assert len(ids) == 5

    async def test_is_in_an_error_s_body(self, build: Build) -> None:
        async with client_of(build(), headers={"X-Request-ID": "of-the-client"}) as client:
            assert error_of(await client.get("/nothing"))["request_id"] == "of-the-client"


class TestSecurityHeaders:
    @pytest.mark.parametrize("path", [f"{PUBLIC}/health", f"{PUBLIC}/thing", f"{PUBLIC}/fail", "/nothing"])
    async def test_are_on_every_answer(self, build: Build, path: str) -> None:
        async with client_of(build(SMALL)) as client:
            headers = (await client.get(path)).headers

        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"

    async def test_do_not_override_what_a_route_says(self, build: Build) -> None:
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
    async def test_load_everything_from_this_application(self, build: Build, where: str) -> None:
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
    async def test_are_not_there_in_production(self, build: Build, path: str) -> None:
        async with client_of(build(ENVIRONMENT="production")) as client:
            assert (await client.get(path)).status_code == 404


class TestRoot:
    async def test_says_what_answers_and_where_the_documentation_is(self, build: Build) -> None:
        async with client_of(build()) as client:
            answer = await client.get("/")
            links = [await client.get(answer.json()[name]) for name in ("documentation", "openapi", "health")]

        assert answer.json()["name"] == "Test"
        assert [link.status_code for link in links] == [200] * 3

    async def test_names_no_documentation_in_production(self, build: Build) -> None:
        async with client_of(build(ENVIRONMENT="production")) as client:
            assert (await client.get("/")).json() == {"name": "Test", "health": f"{PUBLIC}/health"}


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
    async def test_covers_every_answer(self, build: Build, path: str, settings: dict[str, str], status: int) -> None:
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
    async def test_refuses_a_preflight_in_the_one_shape(
        self, build: Build, changes: dict[str, str], refused: list[str]
    ) -> None:
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"} | changes
        async with client_of(build(SMALL, **CORS)) as client:
            answer = await client.options(f"{PUBLIC}/thing", headers=headers)

        error = error_of(answer)
        assert (answer.status_code, error["code"], error["details"]) == (400, "CORS_REFUSED", {"refused": refused})
        assert "Origin" in answer.headers["Vary"]

    async def test_answers_a_preflight(self, build: Build) -> None:
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

    async def test_knows_no_other_origin(self, build: Build) -> None:
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
    async def test_admits_development_servers_in_local_where_no_origin_is_set(
        self, build: Build, where: str, origin: str, *, allowed: bool
    ) -> None:
        async with client_of(build(SMALL, ENVIRONMENT=where), headers={"Origin": origin}) as client:
            headers = (await client.get(f"{PUBLIC}/thing")).headers

        assert ("access-control-allow-origin" in headers) is allowed

    async def test_is_off_where_no_origin_is_set(self, build: Build) -> None:
        async with client_of(build(SMALL), headers={"Origin": ORIGIN}) as client:
            assert "access-control-allow-origin" not in (await client.get(f"{PUBLIC}/thing")).headers


class TestBodySize:
    async def test_up_to_the_limit_is_read(self, build: Build) -> None:
        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            declared = await client.post(f"{PUBLIC}/swallow", content=b"x" * 1024)
            streamed = await client.post(f"{PUBLIC}/swallow", content=pieces_of(1000, 24))

        assert declared.json() == streamed.json() == {"size": 1024}

    @pytest.mark.parametrize("path", ["swallow", "take", "thing", "nothing", "health"])
    async def test_declared_beyond_it_is_refused_by_every_route(self, build: Build, path: str) -> None:
        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            answer = await client.post(f"{PUBLIC}/{path}", content=b"x" * 1025)

        assert answer.status_code == 413
        assert error_of(answer)["code"] == "PAYLOAD_TOO_LARGE"
        assert error_of(answer)["message"] == "A request's body may have at most 1024 bytes."

    @pytest.mark.parametrize(("size", "closes"), [(MAX_DISCARDED, False), (MAX_DISCARDED + 1, True)])
    async def test_far_beyond_it_ends_the_connection(self, build: Build, size: int, closes: bool) -> None:  # noqa: FBT001
        async with client_of(build(SMALL)) as client:
            answer = await client.post(f"{PUBLIC}/swallow", headers={"Content-Length": str(size)})

        assert answer.status_code == 413
        assert (answer.headers.get("connection") == "close") is closes

    @pytest.mark.parametrize("path", ["swallow", "take"])
    async def test_streamed_beyond_it_is_refused_by_every_route_that_reads(self, build: Build, path: str) -> None:
        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            headers = {"Content-Type": "application/json"}
            answer = await client.post(f"{PUBLIC}/{path}", content=pieces_of(1000, 25), headers=headers)

        assert answer.status_code == 413
        assert error_of(answer)["code"] == "PAYLOAD_TOO_LARGE"

    async def test_streamed_without_end_is_not_read_to_the_end(self, build: Build) -> None:
        read: list[int] = []

        async def endless() -> AsyncIterator[bytes]:
            while len(read) < 1000:
                read.append(1)
                yield b"x" * 512

        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            assert (await client.post(f"{PUBLIC}/swallow", content=endless())).status_code == 413

        assert len(read) == 3


class TestErrorBoundary:
    async def test_answers_an_unexpected_error_itself_so_that_the_server_hears_of_none(self, build: Build) -> None:
        sent = await call(build(SMALL), f"{PUBLIC}/fail")

        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        assert sent[0]["status"] == 500

    async def test_lets_the_server_cut_an_answer_that_has_started(self, build: Build) -> None:
        sent = await call(build(SMALL), f"{PUBLIC}/break")

        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body", "raised"]
        assert sent[0]["status"] == 200
        assert sent[1]["body"] == b"first"

    async def test_takes_a_client_that_has_gone_for_no_error(self, build: Build) -> None:
        assert await call(build(SMALL), f"{PUBLIC}/swallow", {"type": "http.disconnect"}, method="POST") == []


class TestStart:
    @pytest.mark.parametrize(
        ("error", "expected"), [(UserError("Do this."), "Do this."), (RuntimeError("unexpected"), "Traceback")]
    )
    async def test_an_error_that_the_reader_can_fix_has_no_traceback(
        self, build: Build, error: Exception, expected: str
    ) -> None:
        @asynccontextmanager
        async def lifespan(_runtime: Runtime) -> AsyncIterator[None]:
            raise error
            yield

        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, str]:
            return {"type": "lifespan.startup"}

        async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
            sent.append(message)

        app = build(Module(name="broken", lifespan=lifespan))
        with pytest.raises(type(error)):
            await app({"type": "lifespan"}, receive, send)
        assert sent[0]["type"] == "lifespan.startup.failed"
        assert sent[0]["message"].startswith(expected)
