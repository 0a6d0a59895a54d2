"""Sends what links say, and the file API's requests."""

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
    """Sends the request that a link is for, with this content; `method` and `headers` to send another one."""
    if isinstance(link, PresignedRequest):
        link = {"method": link.method, "url": link.url, "headers": link.headers, "fields": link.fields}
    verb, sent = method or link["method"], {**link["headers"], **(headers or {})}
    if link.get("fields"):
        return await web.request(verb, link["url"], headers=sent, data=link["fields"], files={"file": content})
    return await web.request(verb, link["url"], headers=sent, content=content)


def code(answer: httpx.Response) -> tuple[int, str]:
    """Status and code of an error."""
    return answer.status_code, answer.json()["error"]["code"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileClient:
    """Somebody's files, through the API; `web` sends what the links say."""

    api: httpx.AsyncClient
    web: httpx.AsyncClient
    headers: dict[str, str]

    def of(self, headers: dict[str, str]) -> Self:
        """The files of somebody else."""
        return replace(self, headers=headers)

    async def ask(self, name: str = "cat.png", content_type: str = "image/png", size: int = len(PNG)) -> httpx.Response:
        """Asks for an upload-url."""
        body = {"name": name, "content_type": content_type, "size": size}
        return await self.api.post(f"{FILES}/upload-url", headers=self.headers, json=body)

    async def upload(self, content: bytes = PNG, *, name: str = "cat.png", content_type: str = "image/png") -> str:
        """Asks for an upload-url and uploads; the file's id."""
        answer = await self.ask(name, content_type, len(content))
        assert answer.status_code == 201, answer.text
        sent = await send(self.web, answer.json(), content)
        assert sent.is_success, sent.text
        return str(answer.json()["id"])

    async def confirm(self, id_: str) -> httpx.Response:
        """Confirms an upload."""
        return await self.api.post(f"{FILES}/confirm", headers=self.headers, json={"id": id_})

    async def store(self, content: bytes = PNG, *, name: str = "cat.png", content_type: str = "image/png") -> str:
        """Uploads and confirms; the file's id."""
        id_ = await self.upload(content, name=name, content_type=content_type)
        answer = await self.confirm(id_)
        assert answer.status_code == 200, answer.text
        return id_

    async def list(self, **query: str) -> dict[str, Any]:
        """The list."""
        answer = await self.api.get(FILES, headers=self.headers, params=query)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def read(self, id_: str) -> httpx.Response:
        """One file."""
        return await self.api.get(f"{FILES}/{id_}", headers=self.headers)

    async def download_link(self, id_: str) -> httpx.Response:
        """A link to the content."""
        return await self.api.get(f"{FILES}/{id_}/download-url", headers=self.headers)

    async def download(self, id_: str) -> httpx.Response:
        """The content."""
        answer = await self.download_link(id_)
        assert answer.status_code == 200, answer.text
        return await send(self.web, answer.json())

    async def delete(self, id_: str) -> httpx.Response:
        """Deletes a file."""
        return await self.api.delete(f"{FILES}/{id_}", headers=self.headers)
