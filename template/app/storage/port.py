"""The port: where files are kept. Objects are named by a key and hold bytes; who owns them is the module's affair."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from fastapi import APIRouter

from app.core.config.settings import ModuleSettings
from app.core.errors import ServiceUnavailableError
from app.core.runtime import Runtime

LOCAL: Final = "local"
"""The store that needs no account, for developers' machines; all others come with it."""


class StorageUnavailableError(ServiceUnavailableError):
    """The store does not answer, or not as it should. The reason is in the log."""

    code = "STORAGE_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("The file storage does not answer. Try again in a moment.")


class ObjectMissingError(LookupError):
    """There is no object with this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no object {key}.")
        self.key = key


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """An object as the store knows it. Some stores keep no content type."""

    key: str
    size: int
    modified_at: datetime
    content_type: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PresignedRequest:
    """A request that its holder may send to the store without any other credential, until it expires.

    Attributes:
        url: absolute, or a path on this application.
        headers: have to be sent as they are.
        fields: where there are some, the body is a `multipart/form-data` of them and, last, the content as `file`;
            else it is the content itself.
    """

    method: str
    url: str
    expires_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


class Storage(Protocol):
    """A store of objects. Use it through `StorageService`, which checks what it is given.

    Each method raises `StorageUnavailableError` where the store does not answer as it should.
    """

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:
        """Stores the object, or replaces it, as a whole or not at all."""
        ...

    def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """The content in pieces; with `first`, only that many bytes of its start.

        Raises:
            ObjectMissingError: with the first piece, when there is no such object.
        """
        ...

    async def find(self, key: str) -> StoredObject | None:
        """What the store knows of the object, if there is one."""
        ...

    async def delete(self, key: str) -> None:
        """Removes the object; no error when there is none."""
        ...

    def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """All objects below the folder `prefix`, in batches."""
        ...

    async def presign_upload(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> PresignedRequest:
        """A request that stores exactly one object, once: it replaces none."""
        ...

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta
    ) -> PresignedRequest:
        """A GET whose answer a browser saves under that name and never shows."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class StoragePiece:
    """What a provider adds to the application; each of `app/storage/providers/` builds one as `provider`.

    Attributes:
        name: the value of STORAGE_PROVIDER that selects it.
        settings: its settings class.
        open: makes the store when the application starts, and closes what it holds when it stops.
        public_router: the routes behind its links, where this application serves them itself.
    """

    name: str
    settings: type[ModuleSettings]
    open: Callable[[Runtime], AbstractAsyncContextManager[Storage]]
    public_router: APIRouter | None = None
