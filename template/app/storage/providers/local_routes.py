"""The routes behind the links: a link permits one upload or the download of one object."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from stat import S_ISREG
from typing import Any, Final

from fastapi import APIRouter, Depends, Request, Response, status
from fastapi.responses import FileResponse
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from app.core.errors import AppError, BadRequestError, ConflictError, NotFoundError, PayloadTooLargeError
from app.core.http.body_limit import BodyLimit
from app.core.http.dependencies import RuntimeDep
from app.core.runtime import Runtime
from app.storage.attachment_header import attachment_header
from app.storage.keys import InvalidKeyError, check_key, is_user_file
from app.storage.models import FileStatus
from app.storage.object_store import get_object_store
from app.storage.providers.local_disk import ObjectExistsError
from app.storage.providers.local_links import InvalidLinkError, SignedPermission, SignedQuery
from app.storage.providers.local_storage import LocalStorage
from app.storage.repository import FileRepository

router = APIRouter(prefix="/files")

BINARY: Final[dict[str, Any]] = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
UPLOAD_BODY: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": BINARY}}
DOWNLOADS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The content", "content": BINARY},
    206: {"description": "The requested range of the content", "content": BINARY},
}


class RangeNotSatisfiableError(AppError):
    """The requested range is outside the file (RFC 9110 §15.5.17)."""

    status = 416
    code = "RANGE_NOT_SATISFIABLE"

    def __init__(self, content_range: str) -> None:
        super().__init__("The requested range is outside the file.", headers={"Content-Range": content_range})


class LinkSpentError(ConflictError):
    """The upload link has been used, or its upload has been deleted."""

    def __init__(self) -> None:
        super().__init__("This link has been used, or its upload was deleted. Request a new one.")


class Download(FileResponse):
    """A response with a file that may be deleted at any moment: nothing is sent before the file is open."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response.

        Raises:
            NotFoundError: the file has been deleted; nothing was sent.
            BadRequestError: the header `Range` or `If-Range` is malformed.
            RangeNotSatisfiableError: the range is outside the file.
        """
        held: list[Message] = []

        async def send_late(message: Message) -> None:
            if message["type"] == "http.response.start":
                # Starlette answers these in plain text.
                if message["status"] == status.HTTP_400_BAD_REQUEST:
                    raise BadRequestError("The Range header is malformed.")
                if message["status"] == status.HTTP_416_RANGE_NOT_SATISFIABLE:
                    raise RangeNotSatisfiableError(MutableHeaders(scope=message)["Content-Range"])
                held.append(message)
                return
            while held:
                await send(held.pop())
            await send(message)

        try:
            await super().__call__(scope, receive, send_late)
        except FileNotFoundError:
            raise NotFoundError("File") from None


def _max_upload_size(runtime: Runtime) -> int:
    return get_object_store(runtime).max_upload_size


@router.put(
    "/{key:path}",
    status_code=status.HTTP_204_NO_CONTENT,
    dependencies=[Depends(BodyLimit(_max_upload_size))],
    openapi_extra=UPLOAD_BODY,
)
async def upload(request: Request, runtime: RuntimeDep, key: str, link: SignedQuery) -> None:
    """Upload a file with a link. The body is the content."""
    storage = _authorized(runtime, "PUT", key, link)
    if request.headers.get("Content-Type") != link.type:
        raise InvalidLinkError(f"The link is for an upload with Content-Type: {link.type}.")
    await _require_pending(runtime, key)
    try:
        await storage.receive(key, _exactly(request, link.size or 0))
    except ObjectExistsError:
        raise LinkSpentError from None
    try:
        await _require_pending(runtime, key)
    except LinkSpentError:
        # The upload was deleted while its content arrived.
        await storage.delete(key)
        raise


@router.get("/{key:path}", response_class=Response, responses=DOWNLOADS)
async def download(runtime: RuntimeDep, key: str, link: SignedQuery) -> Download:
    """Download a file with a link. Supports range requests."""
    storage = _authorized(runtime, "GET", key, link)
    if is_user_file(key) and await _status(runtime, key) != FileStatus.STORED:
        raise NotFoundError("File")
    path, stat = await _existing(storage, key)
    headers = {"Content-Disposition": attachment_header(link.name or "file")}
    return Download(path, media_type=link.type, stat_result=stat, headers=headers)


def _authorized(runtime: Runtime, method: str, key: str, link: SignedPermission) -> LocalStorage:
    """Return the store if the link permits this request."""
    try:
        storage = runtime.resource(LocalStorage)
    except LookupError:
        # Another provider is selected.
        raise NotFoundError("File") from None
    storage.signer.check(method, key, link)
    try:
        check_key(key)
    except InvalidKeyError:
        raise InvalidLinkError from None
    return storage


async def _status(runtime: Runtime, key: str) -> str | None:
    async with runtime.database.reading() as session:
        return await FileRepository(session).status_of(key)


async def _require_pending(runtime: Runtime, key: str) -> None:
    if is_user_file(key) and await _status(runtime, key) != FileStatus.PENDING:
        raise LinkSpentError


async def _existing(storage: LocalStorage, key: str) -> tuple[Path, os.stat_result]:
    try:
        path = await storage.run(storage.disk.path, key)
        stat = await storage.run(path.stat)
    except PermissionError:
        raise InvalidLinkError from None
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError("File") from None
    if not S_ISREG(stat.st_mode):
        raise NotFoundError("File")
    return path, stat


async def _exactly(request: Request, size: int) -> AsyncIterator[bytes]:
    """Yield the body if it has the announced size. A longer one isn't read to the end."""
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received > size:
            raise PayloadTooLargeError(
                f"The link is for an upload of {size} bytes.", details={"limit": size}, headers={"Connection": "close"}
            )
        yield chunk
    if received < size:
        raise BadRequestError(f"The link is for an upload of {size} bytes, but the body has {received}.")
