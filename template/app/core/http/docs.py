"""The interactive documentation at `/docs`. Its files come with the application: no page loads anything elsewhere."""

from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from starlette.responses import FileResponse, HTMLResponse, Response

DOCS: Final = "/docs"
FILES: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}
"""Swagger UI, from the package fastapi-swagger."""

START: Final = """SwaggerUIBundle({
    url: document.currentScript.dataset.openapi,
    dom_id: "#swagger-ui",
    deepLinking: true,
    persistAuthorization: true,
});
"""
# Relative addresses work behind a proxy that removes a prefix, too.
PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js" data-openapi="{openapi}"></script>
</body>
</html>
"""


def add_docs_routes(app: FastAPI) -> None:
    """Add the documentation of an application that serves its OpenAPI document."""
    page = HTMLResponse(PAGE.format(title=escape(app.title), openapi=escape(str(app.openapi_url).removeprefix("/"))))
    start = Response(START, media_type="text/javascript")
    folder = Path(str(files("fastapi_swagger.resources")))

    async def read_docs() -> Response:
        return page

    async def read_start() -> Response:
        return start

    def reader(name: str, media_type: str) -> None:
        async def read_file() -> Response:
            return FileResponse(folder / name, media_type=media_type)

        app.add_api_route(f"{DOCS}/{name}", read_file, include_in_schema=False)

    app.add_api_route(DOCS, read_docs, include_in_schema=False)
    app.add_api_route(f"{DOCS}/start.js", read_start, include_in_schema=False)
    for name, media_type in FILES.items():
        reader(name, media_type)


def add_root_route(app: FastAPI, health: str) -> None:
    """Add `/`, which names the application and links to its documentation, if it is served."""
    links = {"documentation": DOCS, "openapi": app.openapi_url} if app.openapi_url else {}

    async def read_root() -> dict[str, str | None]:
        return {"name": app.title, "health": health, **links}

    app.add_api_route("/", read_root, include_in_schema=False)
