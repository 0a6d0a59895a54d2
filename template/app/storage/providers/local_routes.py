"""What stands behind the links: whoever holds one may send or fetch the one object that it is for."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from stat import S_ISREG

from fastapi import APIRouter, Depends, Request, Response, status
from fastapi.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from app.core.errors import BadRequestError, ConflictError, NotFoundError, PayloadTooLargeError
from app.core.http.body_limit import BodyLimit
from app.core.http.dependencies import RuntimeDep
from app.core.runtime import Runtime
from app.storage.keys import InvalidKeyError
from app.storage.names import attachment
from app.storage.providers.local_disk import ObjectExistsError
from app.storage.providers.local_links import InvalidLinkError, SignedQuery
from app.storage.providers.local_storage import LocalStorage
from app.storage.service import get_storage_service

router = APIRouter(prefix="/files")


def _largest_upload(runtime: Runtime) -> int:
    return get_storage_service(runtime).max_upload_size


def _storage(runtime: Runtime) -> LocalStorage:
    try:
        return runtime.resource(LocalStorage)
    except LookupError:
        # Another provider is selected.
        raise NotFoundError("File") from None


@router.put("/{key:path}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[Depends(BodyLimit(_largest_upload))])
async def upload(request: Request, runtime: RuntimeDep, key: str, link: SignedQuery) -> None:
    """Takes the upload that the link is for; the body is the content."""
    storage = _storage(runtime)
    storage.signer.check("PUT", key, link)
    if request.headers.get("Content-Type") != link.type:
        raise InvalidLinkError(f"The link is for an upload with Content-Type: {link.type}.")
    try:
        await storage.receive(key, _exactly(request, link.size or 0))
    except ObjectExistsError:
        raise ConflictError("This link has been used; ask for a new one.") from None
    except InvalidKeyError:
        raise InvalidLinkError from None


class Download(FileResponse):
    """A file that somebody may delete at any moment: nothing is said before it is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends it.

        Raises:
            NotFoundError: it is gone; nothing was sent.
        """
        held: list[Message] = []

        async def send_late(message: Message) -> None:
            if message["type"] == "http.response.start":
                held.append(message)
                return
            while held:
                await send(held.pop())
            await send(message)

        try:
            await super().__call__(scope, receive, send_late)
        except FileNotFoundError:
            raise NotFoundError("File") from None


@router.get("/{key:path}", response_class=Response)
async def download(runtime: RuntimeDep, key: str, link: SignedQuery) -> Download:
    """Answers the content, to be saved and not shown; parts of it, if asked for a range."""
    storage = _storage(runtime)
    storage.signer.check("GET", key, link)
    path, stat = await _existing(storage, key)
    headers = {"Content-Disposition": attachment(link.name or "file")}
    return Download(path, media_type=link.type, stat_result=stat, headers=headers)


async def _existing(storage: LocalStorage, key: str) -> tuple[Path, os.stat_result]:
    try:
        path = await asyncio.to_thread(storage.disk.path, key)
        stat = await asyncio.to_thread(path.stat)
    except (InvalidKeyError, PermissionError):
        raise InvalidLinkError from None
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError("File") from None
    if not S_ISREG(stat.st_mode):
        raise NotFoundError("File")
    return path, stat


async def _exactly(request: Request, size: int) -> AsyncIterator[bytes]:
    """The body, if it has the size that was announced; what is longer is not read to the end."""
    received = 0
    async for piece in request.stream():
        received += len(piece)
        if received > size:
            raise PayloadTooLargeError(
                f"The link is for an upload of {size} bytes.", details={"limit": size}, headers={"Connection": "close"}
            )
        yield piece
    if received < size:
        raise BadRequestError(f"The link is for an upload of {size} bytes; {received} have come.")
