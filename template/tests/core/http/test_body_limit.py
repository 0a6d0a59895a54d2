"""A route may take larger bodies than all others."""

import json
from collections.abc import AsyncIterator

import pytest
from fastapi import APIRouter, Depends, Request

from app.core.http.body_limit import BodyLimit, JsonValueCounter
from app.core.manifest import Module
from tests.core.applications import PUBLIC, Build, client_of, error_of
from tests.core.http.small_module import pieces_of

router = APIRouter()
LARGE = BodyLimit(lambda runtime: 2 * runtime.settings.MAX_BODY_SIZE)


@router.put("/large/{name}", dependencies=[Depends(LARGE)])
async def put_large(request: Request, name: str) -> dict[str, int]:
    return {name: sum([len(piece) async for piece in request.stream()])}


@router.put("/small")
async def put_small(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


@router.post("/parsed")
async def post_parsed(body: dict[str, object]) -> dict[str, int]:
    return {"members": len(body)}


UPLOADS = Module(name="uploads", public_router=router)


class TestBodyLimit:
    async def test_is_the_routes_own(self, build: Build) -> None:
        async with client_of(build(UPLOADS, MAX_BODY_SIZE="1024")) as client:
            declared = await client.put(f"{PUBLIC}/large/x", content=b"x" * 2048)
            streamed = await client.put(f"{PUBLIC}/large/x", content=pieces_of(1024, 1024))

        assert declared.json() == streamed.json() == {"x": 2048}

    async def test_has_an_end(self, build: Build) -> None:
        async with client_of(build(UPLOADS, MAX_BODY_SIZE="1024")) as client:
            for content in (b"x" * 2049, pieces_of(1024, 1025)):
                answer = await client.put(f"{PUBLIC}/large/x", content=content)

                assert answer.status_code == 413
                assert error_of(answer)["message"] == "A request's body may have at most 2048 bytes."

    @pytest.mark.parametrize(("method", "path"), [("PUT", "small"), ("POST", "large/x"), ("PUT", "nothing")])
    async def test_applies_to_one_route(self, build: Build, method: str, path: str) -> None:
        async with client_of(build(UPLOADS, MAX_BODY_SIZE="1024")) as client:
            answer = await client.request(method, f"{PUBLIC}/{path}", content=b"x" * 1025)

        assert answer.status_code == 413


class TestJsonValues:
    @pytest.mark.parametrize("declared", [True, False])
    async def test_have_a_limit_that_is_applied_before_the_json_is_parsed(
        self, build: Build, *, declared: bool
    ) -> None:
        headers = {"Content-Type": "application/json"}
        async with client_of(build(UPLOADS, MAX_JSON_VALUES="100"), headers=headers) as client:
            for count, status in ((99, 200), (101, 413)):
                content = json.dumps({f"key {number}": "a, [b]" for number in range(count)}).encode()
                answer = await client.post(f"{PUBLIC}/parsed", content=content if declared else one_by_one(content))

                assert answer.status_code == status
        assert error_of(answer)["message"] == "A request's JSON may have at most 100 values."

    async def test_are_not_counted_for_other_types_and_routes_with_another_limit(self, build: Build) -> None:
        content = b"[" * 1000
        async with client_of(build(UPLOADS, MAX_JSON_VALUES="100")) as client:
            text = await client.put(f"{PUBLIC}/small", content=content, headers={"Content-Type": "text/plain"})
            own = await client.put(f"{PUBLIC}/large/x", content=content, headers={"Content-Type": "application/json"})

        assert text.json() == {"size": 1000}
        assert own.json() == {"x": 1000}

    async def test_may_have_any_encoding_in_a_file(self, build: Build) -> None:
        content = json.dumps({str(number): "" for number in range(1000)}).encode("utf-16")
        headers = {"Content-Type": "application/json"}
        async with client_of(build(UPLOADS, MAX_JSON_VALUES="100")) as client:
            answer = await client.put(f"{PUBLIC}/large/x", content=content, headers=headers)

        assert answer.json() == {"x": len(content)}

    async def test_cannot_hide_in_another_encoding(self, build: Build) -> None:
        content = json.dumps({str(number): "" for number in range(1000)}).encode("utf-16")
        headers = {"Content-Type": "application/json"}
        async with client_of(build(UPLOADS, MAX_JSON_VALUES="100")) as client:
            answer = await client.post(f"{PUBLIC}/parsed", content=content, headers=headers)

        assert answer.status_code == 400
        assert error_of(answer)["code"] == "BAD_REQUEST"

    @pytest.mark.parametrize("size", [1, 2, 3, 1000])
    @pytest.mark.parametrize(
        ("value", "count"),
        [
            ({"a": 1, "b": [1, 2]}, 4),
            ({'q"uote': 'a "b", [c]'}, 1),
            ({"ends with \\": "\\\\", "and": ","}, 2),
            ([[], [[]]], 5),
        ],
        ids=["nested", "quotes", "backslashes", "empty"],
    )
    def test_are_counted_outside_of_strings_however_the_text_is_cut(self, value: object, count: int, size: int) -> None:
        text, counter = json.dumps(value).encode(), JsonValueCounter()
        for start in range(0, len(text), size):
            counter.feed(text[start : start + size])

        assert counter.count == count


async def one_by_one(content: bytes) -> AsyncIterator[bytes]:
    for byte in content:
        yield bytes([byte])
