"""The files of the browser admin: the page, its scripts and its styles, read once and served with an ETag."""

import hashlib
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

FOLDER: Final = Path(__file__).parent / "static"
PAGE: Final = "index.html"
MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    # The scripts create elements and texts only. A browser refuses every assignment of HTML.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)
HEADERS: Final = {
    "Content-Security-Policy": "; ".join(POLICY),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Kept, and compared by its ETag on each use: all files are those of the same version after a deployment.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file that browsers keep and compare by its ETag."""

    content: bytes
    media_type: str
    etag: str = field(init=False)

    def __post_init__(self) -> None:
        """Compute the ETag."""
        object.__setattr__(self, "etag", f'"{hashlib.sha256(self.content).hexdigest()[:32]}"')

    def response(self, request: Request) -> Response:
        """Return the file, or 304 to a browser that has it (RFC 9110 §13.1.2)."""
        headers = {**HEADERS, "ETag": self.etag}
        known = (each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(","))
        if self.etag in known:
            return Response(status_code=304, headers=headers)
        return Response(self.content, headers=headers, media_type=self.media_type)


def load_files() -> dict[str, StaticFile]:
    """Return the scripts and styles by name."""
    return {
        path.name: StaticFile(path.read_bytes(), MEDIA_TYPES[path.suffix])
        for path in sorted(FOLDER.iterdir())
        if path.suffix in MEDIA_TYPES
    }


def load_page(*, title: str, api: str) -> StaticFile:
    """Return the page.

    Args:
        title: the product's name.
        api: the path of the admin area.
    """
    # A relative address works behind a proxy that removes a prefix, too.
    values = {"{{title}}": escape(title), "{{api}}": escape(api.removeprefix("/"))}
    text = (FOLDER / PAGE).read_text(encoding="utf-8")
    for name, value in values.items():
        text = text.replace(name, value)
    return StaticFile(text.encode(), "text/html; charset=utf-8")
