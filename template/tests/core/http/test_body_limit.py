"""A route may take larger bodies than all others."""

import pytest
from fastapi import APIRouter, Depends, Request

from app.core.http.body_limit import BodyLimit
from app.core.manifest import Module
from tests.core.applications import PUBLIC, Build, client_of, error_of
from tests.core.http.test_middleware import pieces_of

router = APIRouter()
LARGE = BodyLimit(lambda runtime: 2 * runtime.settings.MAX_BODY_SIZE)


@router.put("/large/{name}", dependencies=[Depends(LARGE)])
async def put_large(request: Request, name: str) -> dict[str, int]:
    return {name: sum([len(piece) async for piece in request.stream()])}


@router.put("/small")
async def put_small(request: Request) -> dict[str, int]:
    return {"size": len(await request.body())}


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
    async def test_is_nobody_elses(self, build: Build, method: str, path: str) -> None:
        async with client_of(build(UPLOADS, MAX_BODY_SIZE="1024")) as client:
            answer = await client.request(method, f"{PUBLIC}/{path}", content=b"x" * 1025)

        assert answer.status_code == 413
