"""The maximum size of request bodies."""

from collections.abc import AsyncIterator

import pytest

from app.core.http.body_limit import MAX_DISCARDED
from tests.core.applications import PUBLIC, Build, client_of, error_of
from tests.core.http.small_module import SMALL, pieces_of


class TestBodySize:
    async def test_a_body_up_to_the_limit_is_read(self, build: Build) -> None:
        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            declared = await client.post(f"{PUBLIC}/swallow", content=b"x" * 1024)
            streamed = await client.post(f"{PUBLIC}/swallow", content=pieces_of(1000, 24))

        assert declared.json() == streamed.json() == {"size": 1024}

    @pytest.mark.parametrize("path", ["swallow", "take", "thing", "nothing", "health"])
    async def test_a_larger_declared_size_is_refused_by_every_route(self, build: Build, path: str) -> None:
        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            answer = await client.post(f"{PUBLIC}/{path}", content=b"x" * 1025)

        assert answer.status_code == 413
        assert error_of(answer)["code"] == "PAYLOAD_TOO_LARGE"
        assert error_of(answer)["message"] == "A request's body may have at most 1024 bytes."

    @pytest.mark.parametrize(("size", "closes"), [(MAX_DISCARDED, False), (MAX_DISCARDED + 1, True)])
    async def test_a_much_larger_declared_size_ends_the_connection(self, build: Build, size: int, closes: bool) -> None:  # noqa: FBT001
        async with client_of(build(SMALL)) as client:
            answer = await client.post(f"{PUBLIC}/swallow", headers={"Content-Length": str(size)})

        assert answer.status_code == 413
        assert (answer.headers.get("connection") == "close") is closes

    @pytest.mark.parametrize("path", ["swallow", "take"])
    async def test_a_larger_streamed_body_is_refused_by_every_route_that_reads(self, build: Build, path: str) -> None:
        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            headers = {"Content-Type": "application/json"}
            answer = await client.post(f"{PUBLIC}/{path}", content=pieces_of(1000, 25), headers=headers)

        assert answer.status_code == 413
        assert error_of(answer)["code"] == "PAYLOAD_TOO_LARGE"

    async def test_an_endless_streamed_body_is_not_read_further(self, build: Build) -> None:
        read: list[int] = []

        async def endless() -> AsyncIterator[bytes]:
            while len(read) < 1000:
                read.append(1)
                yield b"x" * 512

        async with client_of(build(SMALL, MAX_BODY_SIZE="1024")) as client:
            assert (await client.post(f"{PUBLIC}/swallow", content=endless())).status_code == 413

        assert len(read) == 3
