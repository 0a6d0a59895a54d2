"""The OpenAPI document, from which clients are generated."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from app.core.http.openapi import operation_id

METHODS = {"get", "post", "put", "patch", "delete"}


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        yield from ((f"{method} {path}", operation) for method, operation in item.items() if method in METHODS)


class TestDocument:
    def test_has_short_and_unique_operation_ids(self, app: FastAPI) -> None:
        ids = [operation["operationId"] for _, operation in operations(app.openapi())]

        assert len(ids) == len(set(ids))
        assert [each for each in ids if not re.fullmatch(r"[a-z_]+(-[a-z0-9]+){1,4}", each)] == []

    def test_has_no_two_schemas_of_the_same_name(self, app: FastAPI) -> None:
        # FastAPI qualifies the names of such classes with their modules.
        names = app.openapi()["components"]["schemas"]
        assert [name for name in names if "__" in name or name.endswith(("-Input", "-Output"))] == []

    def test_states_the_security_of_every_operation(self, app: FastAPI) -> None:
        for where, operation in operations(app.openapi()):
            assert ({"token": []} in operation["security"]) is ("/public/" not in where), where

    def test_names_its_servers_and_its_licence(self, app: FastAPI) -> None:
        document = app.openapi()
        assert document["servers"] == [{"url": "/"}]
        assert document["info"]["license"]["name"]


class TestOperationId:
    @pytest.mark.parametrize(
        ("tag", "name", "expected"),
        [
            ("books", "list_books", "books-list"),
            ("books", "read_book", "books-read"),
            ("users", "read_me", "users-read-me"),
            ("companies", "create_company", "companies-create"),
            ("storage", "create_upload_url", "storage-create-upload-url"),
            ("things", "list_", "things-list"),
            ("status", "status", "status-status"),
        ],
    )
    def test_is_the_tag_and_the_name(self, tag: str, name: str, expected: str) -> None:
        async def endpoint() -> None:
            """Do nothing."""

        router = APIRouter()
        router.add_api_route("/thing", endpoint, name=name, tags=[tag])
        route = router.routes[0]
        assert isinstance(route, APIRoute)
        assert operation_id(route) == expected
