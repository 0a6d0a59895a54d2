"""The OpenAPI document: short operation ids for generated clients, and an explicit `security` everywhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, override

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.core.errors import AppError
from app.core.http.route_dependencies import add_documentation
from app.core.http.route_table import RouteTable


@dataclass(frozen=True, slots=True)
class ErrorDescription:
    """An error that a dependency raises. Its attribute `error` puts the error into the document of each of its routes.

    Attributes:
        error: the class, which has the status and the code.
        reason: one sentence that says when it is raised.
    """

    error: type[AppError]
    reason: str

    @property
    def response(self) -> dict[str, Any]:
        """The response object, with the shape of all errors."""
        schema = {"$ref": "#/components/schemas/ErrorResponse"}
        text = f"`{self.error.code}`: {self.reason}"
        return {"description": text, "content": {"application/json": {"schema": schema}}}


class Application(FastAPI):
    """FastAPI with a document from which client generators produce good code."""

    @override
    def openapi(self) -> dict[str, Any]:
        """Return the document. Operations without authentication state that with an empty `security`."""
        if self.openapi_schema is None:
            document = super().openapi()
            add_documentation(self.routes, document)
            for item in document.get("paths", {}).values():
                for operation in item.values():
                    operation.setdefault("security", [])
            _describe_errors(document["paths"], self.state.routes)
        return super().openapi()


def _describe_errors(paths: dict[str, Any], routes: RouteTable) -> None:
    for route in routes:
        for description in _descriptions(route.dependencies):
            for method in route.methods:
                operation = paths.get(route.template, {}).get(method.lower())
                if operation is not None:
                    _add(operation["responses"], str(description.error.status), description)


def _descriptions(dependencies: tuple[object, ...]) -> Iterator[ErrorDescription]:
    for dependency in dependencies:
        description = getattr(dependency, "error", None)
        if isinstance(description, ErrorDescription):
            yield description


def _add(responses: dict[str, Any], status: str, description: ErrorDescription) -> None:
    known = responses.setdefault(status, description.response)
    text = description.response["description"]
    if text not in known["description"]:
        known["description"] += f"\n\n{text}"


def operation_id(route: APIRoute) -> str:
    """Return the tag and the function's name, without the words that repeat the tag: `projects-list`.

    `list_projects` of the tag `projects` becomes `projects-list`, `create_upload_url` of `storage` becomes
    `storage-create-upload-url`. Generated clients name their methods after it.
    """
    tag = str(route.tags[0]) if route.tags else "app"
    repeated = {tag, tag.removesuffix("s"), f"{tag.removesuffix('ies')}y"}
    words = [word for word in route.name.split("_") if word]
    return "-".join([tag, *([word for word in words if word not in repeated] or words)])
