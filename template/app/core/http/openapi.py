"""The OpenAPI document: short operation ids for generated clients, and an explicit `security` everywhere."""

from typing import Any, override

from fastapi import FastAPI
from fastapi.routing import APIRoute

from app.core.http.route_dependencies import add_documentation


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
        return super().openapi()


def operation_id(route: APIRoute) -> str:
    """Return the tag and the function's name, without the words that repeat the tag: `projects-list`.

    `list_projects` of the tag `projects` becomes `projects-list`, `create_upload_url` of `storage` becomes
    `storage-create-upload-url`. Generated clients name their methods after it.
    """
    tag = str(route.tags[0]) if route.tags else "app"
    repeated = {tag, tag.removesuffix("s"), f"{tag.removesuffix('ies')}y"}
    words = [word for word in route.name.split("_") if word]
    return "-".join([tag, *([word for word in words if word not in repeated] or words)])
