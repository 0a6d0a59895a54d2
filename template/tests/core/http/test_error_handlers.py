"""Every error has the one shape."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, HTTPException, Query
from pydantic import BaseModel, ConfigDict

from app.core.errors import (
    AppError,
    BadRequestError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ServiceUnavailableError,
    UnauthorizedError,
)
from app.core.manifest import Module
from tests.core.applications import API, PUBLIC, Build, client_of, error_of, module

SECRET = "correct horse battery staple"


class Thing(BaseModel):
    name: str
    size: int


async def make(thing: Thing, limit: Annotated[int, Query(le=10)] = 1) -> Thing:
    del limit
    return thing


class StrictThing(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str


async def make_strictly(thing: StrictThing) -> StrictThing:
    return thing


async def read() -> dict[str, str]:
    return {}


async def fail() -> None:
    raise RuntimeError(SECRET)


def raising(error: Exception) -> Module:
    async def raise_it() -> None:
        raise error

    return module(("GET", "/thing", raise_it))


async def get_thing(build: Build, error: Exception) -> httpx.Response:
    async with client_of(build(raising(error))) as client:
        return await client.get(f"{PUBLIC}/thing")


class TestErrorsOfOurs:
    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (BadRequestError("No."), 400, "BAD_REQUEST"),
            (UnauthorizedError(), 401, "UNAUTHORIZED"),
            (ForbiddenError("No."), 403, "FORBIDDEN"),
            (NotFoundError("Thing"), 404, "NOT_FOUND"),
            (ConflictError("No."), 409, "CONFLICT"),
            (ServiceUnavailableError("No."), 503, "SERVICE_UNAVAILABLE"),
        ],
    )
    async def test_carry_their_status_and_code(self, build: Build, error: AppError, status: int, code: str) -> None:
        answer = await get_thing(build, error)

        assert answer.status_code == status
        assert error_of(answer)["code"] == code

    async def test_carry_their_message_and_details(self, build: Build) -> None:
        error = error_of(await get_thing(build, NotFoundError("Thing", 42)))

        assert error["message"] == "Thing not found."
        assert error["details"] == {"resource": "Thing", "id": "42"}

    async def test_carry_their_headers(self, build: Build) -> None:
        assert (await get_thing(build, UnauthorizedError())).headers["www-authenticate"] == "Bearer"


class TestBareStatuses:
    async def test_an_unknown_path_is_not_found(self, build: Build) -> None:
        async with client_of(build()) as client:
            answer = await client.get(f"{PUBLIC}/nothing")

        assert answer.status_code == 404
        assert error_of(answer)["code"] == "NOT_FOUND"
        assert error_of(answer)["message"] == "No route has this path."

    async def test_a_path_with_a_trailing_slash_is_not_redirected(self, build: Build) -> None:
        async with client_of(build(module(("GET", "/thing", read)))) as client:
            assert (await client.get(f"{PUBLIC}/thing/")).status_code == 404

    async def test_another_method_gets_the_allowed_methods(self, build: Build) -> None:
        app = build(module(("GET", "/thing", read), ("POST", "/thing", make), ("DELETE", "/other", read)))
        async with client_of(app) as client:
            answer = await client.put(f"{PUBLIC}/thing")

        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, POST"
        assert error_of(answer)["code"] == "METHOD_NOT_ALLOWED"
        assert error_of(answer)["message"] == "PUT is not allowed on this path. Allowed: GET, POST."

    async def test_a_status_raised_by_a_route_keeps_its_words_and_headers(self, build: Build) -> None:
        answer = await get_thing(build, HTTPException(418, "Short and stout.", headers={"X-Pot": "tea"}))

        assert answer.status_code == 418
        assert answer.headers["x-pot"] == "tea"
        assert error_of(answer)["message"] == "Short and stout."
        assert error_of(answer)["code"] == "IM_A_TEAPOT"

    async def test_details_raised_by_a_route_are_kept(self, build: Build) -> None:
        error = error_of(await get_thing(build, HTTPException(409, {"field": "name"})))

        assert error["message"] == "Conflict"
        assert error["details"] == {"field": "name"}

    async def test_details_of_any_other_type_are_kept(self, build: Build) -> None:
        assert error_of(await get_thing(build, HTTPException(409, [1, 2])))["details"] == {"detail": [1, 2]}

    async def test_a_status_without_a_name_has_its_number(self, build: Build) -> None:
        assert error_of(await get_thing(build, HTTPException(499, "Gone.")))["code"] == "HTTP_499"

    async def test_a_status_without_a_body_has_none(self, build: Build) -> None:
        answer = await get_thing(build, HTTPException(304))

        assert answer.status_code == 304
        assert answer.content == b""


class TestInvalidRequests:
    async def test_name_the_field_and_the_problem_without_the_value(self, build: Build) -> None:
        async with client_of(build(module(("POST", "/thing", make)))) as client:
            answer = await client.post(f"{PUBLIC}/thing?limit=99887766", json={"name": 1, "size": SECRET})

        assert answer.status_code == 422
        error = error_of(answer)
        assert error["code"] == "VALIDATION_ERROR"
        assert [item["loc"] for item in error["details"]["errors"]] == [
            ["query", "limit"],
            ["body", "name"],
            ["body", "size"],
        ]
        assert all(set(item) == {"loc", "msg", "type"} for item in error["details"]["errors"])
        assert SECRET not in answer.text
        assert "99887766" not in answer.text

    async def test_a_body_that_is_not_json_is_invalid(self, build: Build) -> None:
        async with client_of(build(module(("POST", "/thing", make)))) as client:
            headers = {"Content-Type": "application/json"}
            answer = await client.post(f"{PUBLIC}/thing", content=f'{{"name": "{SECRET}', headers=headers)

        assert answer.status_code == 422
        assert error_of(answer)["details"]["errors"][0]["type"] == "json_invalid"
        assert SECRET not in answer.text

    async def test_report_the_first_errors_and_count_the_others(self, build: Build) -> None:
        unknown = {f"{number}{'x' * 1000}": 1 for number in range(500)}
        async with client_of(build(module(("POST", "/thing", make_strictly)))) as client:
            answer = await client.post(f"{PUBLIC}/thing", json={"name": "a", **unknown})

        details = error_of(answer)["details"]
        assert len(details["errors"]) == 20
        assert details["omitted"] == 480
        assert details["errors"][0]["loc"] == ["body", "0" + "x" * 199]
        assert len(answer.content) < 10_000


class TestUnexpectedErrors:
    async def test_reveal_nothing(self, build: Build) -> None:
        async with client_of(build(module(("GET", "/fail", fail)))) as client:
            answer = await client.get(f"{PUBLIC}/fail")

        assert answer.status_code == 500
        assert error_of(answer)["code"] == "INTERNAL_ERROR"
        assert SECRET not in answer.text
        assert "RuntimeError" not in answer.text

    async def test_a_response_that_violates_its_schema_is_unexpected(self, build: Build) -> None:
        async def lie() -> Thing:
            return {"name": SECRET}  # type: ignore[return-value]  # what the test is about

        async with client_of(build(module(("GET", "/lie", lie)))) as client:
            answer = await client.get(f"{PUBLIC}/lie")

        assert answer.status_code == 500
        assert error_of(answer)["code"] == "INTERNAL_ERROR"
        assert SECRET not in answer.text

    async def test_in_a_middleware_of_the_project_have_the_same_shape(self, build: Build) -> None:
        app = build()

        async def broken(*_: object) -> None:
            raise RuntimeError(SECRET)

        app.add_middleware(lambda app: broken)  # noqa: ARG005 - what takes the place of the rest
        async with client_of(app) as client:
            answer = await client.get(f"{PUBLIC}/health")

        assert answer.status_code == 500
        assert answer.json()["error"]["code"] == "INTERNAL_ERROR"
        assert SECRET not in answer.text


class TestSchema:
    async def test_every_route_documents_the_shape(self, build: Build) -> None:
        async with client_of(build(module(("POST", "/thing", make)))) as client:
            schema = (await client.get(f"{API}/openapi.json")).json()

        operations = [operation for path in schema["paths"].values() for operation in path.values()]
        assert len(operations) == 3
        for operation in operations:
            content = operation["responses"]["default"]["content"]["application/json"]
            assert content["schema"] == {"$ref": "#/components/schemas/ErrorResponse"}
            assert "422" not in operation["responses"]
        assert "HTTPValidationError" not in schema["components"]["schemas"]


class TestCreateApp:
    def test_routes_that_need_a_guard_need_its_module(self, build: Build) -> None:
        with pytest.raises(ValueError, match="guards"):
            build(Module(name="small", router=APIRouter()))
