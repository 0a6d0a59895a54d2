"""Requests to the file API and to its links."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import httpx

from app.storage.port import PresignedRequest

FILES = "/api/v1/app/files"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4


async def send(
    web: httpx.AsyncClient,
    link: PresignedRequest | Mapping[str, Any],
    content: bytes = b"",
    *,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """Send the request of a link with this content, optionally with another method or other headers."""
    if isinstance(link, PresignedRequest):
        link = {"method": link.method, "url": link.url, "headers": link.headers, "fields": link.fields}
    verb, sent = method or link["method"], {**link["headers"], **(headers or {})}
    if link.get("fields"):
        return await web.request(verb, link["url"], headers=sent, data=link["fields"], files={"file": content})
    return await web.request(verb, link["url"], headers=sent, content=content)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Return the status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileClient:
    """The file API for a user. `web` sends the requests of links."""

    api: httpx.AsyncClient
    web: httpx.AsyncClient
    headers: dict[str, str]

    def of(self, headers: dict[str, str]) -> Self:
        """Return the file API for another user."""
        return replace(self, headers=headers)

    async def ask(self, name: str = "cat.png", content_type: str = "image/png", size: int = len(PNG)) -> httpx.Response:
        """Request an upload link."""
        body = {"name": name, "content_type": content_type, "size": size}
        return await self.api.post(f"{FILES}/upload-url", headers=self.headers, json=body)

    async def upload(self, content: bytes = PNG, *, name: str = "cat.png", content_type: str = "image/png") -> str:
        """Upload a file, and return its id."""
        answer = await self.ask(name, content_type, len(content))
        assert answer.status_code == 201, answer.text
        sent = await send(self.web, answer.json(), content)
        assert sent.is_success, sent.text
        return str(answer.json()["id"])

    async def confirm(self, id_: str) -> httpx.Response:
        """Confirm an upload."""
        return await self.api.post(f"{FILES}/confirm", headers=self.headers, json={"id": id_})

    async def store(self, content: bytes = PNG, *, name: str = "cat.png", content_type: str = "image/png") -> str:
        """Upload and confirm a file, and return its id."""
        id_ = await self.upload(content, name=name, content_type=content_type)
        answer = await self.confirm(id_)
        assert answer.status_code == 200, answer.text
        return id_

    async def list(self, **query: str) -> dict[str, Any]:
        """List the files."""
        answer = await self.api.get(FILES, headers=self.headers, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def read(self, id_: str) -> httpx.Response:
        """Get a file."""
        return await self.api.get(f"{FILES}/{id_}", headers=self.headers)

    async def download_link(self, id_: str) -> httpx.Response:
        """Request a download link."""
        return await self.api.get(f"{FILES}/{id_}/download-url", headers=self.headers)

    async def download(self, id_: str) -> httpx.Response:
        """Download a file."""
        answer = await self.download_link(id_)
        assert answer.status_code == 200, answer.text
        return await send(self.web, answer.json())

    async def delete(self, id_: str) -> httpx.Response:
        """Delete a file."""
        return await self.api.delete(f"{FILES}/{id_}", headers=self.headers)
