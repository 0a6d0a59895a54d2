"""Dependencies that a module adds to the app area, and the errors that they document."""

from collections.abc import Iterator
from typing import override

import pytest
from fastapi import APIRouter, Depends, FastAPI

from app.core.errors import ConflictError
from app.core.http.route_dependencies import DocumentedDependency, Operation, document_error
from app.core.manifest import Guards, Module
from tests.core.applications import API, Build, client_of

calls: list[str] = []


class Count(DocumentedDependency):
    """Count calls."""

    @override
    def document(self, operation: Operation) -> None:
        """Add the error to an operation."""
        document_error(operation, ConflictError, "There are too many.")

    async def __call__(self) -> None:
        """Count one."""
        calls.append("counted")


async def guard() -> None:
    calls.append("guarded")


async def greet() -> str:
    return "hello"


def routes(name: str = "greet") -> APIRouter:
    router = APIRouter()
    router.add_api_route("/greet", greet, name=name)
    return router


@pytest.fixture
def metered(build: Build) -> Iterator[FastAPI]:
    """An application with a module that counts the calls of others."""
    calls.clear()
    guards = Guards(app=Depends(guard), admin=Depends(guard))
    paths = {name: APIRouter(prefix=f"/{name}") for name in ("shop", "account")}
    for router in paths.values():
        router.include_router(routes())
    yield build(
        Module(name="guards", guards=guards),
        Module(name="shop", router=paths["shop"], admin_router=routes("greet_admin")),
        Module(name="account", router=paths["account"], unmetered=True),
        Module(name="counting", app_dependencies=(Depends(Count()),)),
    )
    calls.clear()


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("app/shop/greet", ["guarded", "counted"]),
        ("app/account/greet", ["guarded"]),
        ("admin/greet", ["guarded"]),
    ],
)
async def test_run_after_the_guard_in_metered_modules(metered: FastAPI, path: str, expected: list[str]) -> None:
    async with client_of(metered) as client:
        assert (await client.get(f"{API}/{path}")).status_code == 200
    assert calls == expected


def test_are_described_in_the_document(metered: FastAPI) -> None:
    paths = metered.openapi()["paths"]
    described = paths[f"{API}/app/shop/greet"]["get"]["responses"]
    assert described["409"]["description"] == "`CONFLICT`: There are too many."
    assert "409" not in paths[f"{API}/app/account/greet"]["get"]["responses"]
