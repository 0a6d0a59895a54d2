"""The dependencies of routes, in the order in which they run, and their part in the OpenAPI document."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext, iter_route_contexts
from starlette.routing import BaseRoute

from app.core.errors import AppError

type Operation = dict[str, Any]
"""An operation of the OpenAPI document."""


class DocumentedDependency(ABC):
    """A dependency that adds to the documentation of each route that has it."""

    @abstractmethod
    def document(self, operation: Operation) -> None:
        """Add to the operation of a route."""


def routes_with_dependencies(
    routes: Sequence[BaseRoute],
) -> Iterator[tuple[RouteContext, tuple[object, ...]]]:
    """Yield each route, WebSockets included, with everything that it depends on, directly or not."""
    for context in iter_route_contexts(routes):
        dependant: Dependant | None = getattr(context, "dependant", None)
        if dependant is not None:
            yield context, tuple(_calls(dependant))


def add_documentation(routes: Sequence[BaseRoute], document: dict[str, Any]) -> None:
    """Let the dependencies of the routes complete the OpenAPI document."""
    for context, calls in routes_with_dependencies(routes):
        path = document["paths"].get(context.path_format, {})
        operations = [path[method.lower()] for method in context.methods or () if method.lower() in path]
        documented: list[DocumentedDependency] = [call for call in calls if isinstance(call, DocumentedDependency)]
        for dependency in dict.fromkeys(documented):
            for operation in operations:
                dependency.document(operation)


def document_error(operation: Operation, error: type[AppError], reason: str = "") -> None:
    """Add an error to the responses of an operation.

    Args:
        error: the class, which has the status and the code.
        reason: one sentence that says when it is raised.
    """
    response = operation.setdefault("responses", {}).setdefault(str(error.status), {"description": ""})
    text = f"`{error.code}`: {reason}" if reason else f"`{error.code}`"
    known = [line for line in response["description"].split("\n\n") if line]
    response["description"] = "\n\n".join(dict.fromkeys([*known, text]))
    response.setdefault("content", {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorResponse"}}})


def _calls(dependant: Dependant) -> Iterator[object]:
    for child in dependant.dependencies:
        yield from _calls(child)
        if child.call is not None:
            yield child.call
