"""The storage port: a store of objects. An object has a key and bytes; the modules that use it know its owner."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from fastapi import APIRouter

from app.core.config.settings import ModuleSettings
from app.core.errors import ServiceUnavailableError
from app.core.runtime import Runtime

LOCAL: Final = "local"
"""The provider that needs no account, for development. It comes with every other provider."""


class StorageUnavailableError(ServiceUnavailableError):
    """The file storage doesn't respond, or responds with an error. The log has the reason."""

    code = "STORAGE_UNAVAILABLE"

    def __init__(self, message: str = "The file storage doesn't respond. Try again in a moment.") -> None:
        super().__init__(message)


class StorageFullError(StorageUnavailableError):
    """The file storage has no space left (507, RFC 4918 §11.5)."""

    status = 507
    code = "STORAGE_FULL"

    def __init__(self) -> None:
        super().__init__("The file storage is full. Try again later.")


class ObjectMissingError(LookupError):
    """No object has this key."""

    def __init__(self, key: str) -> None:
        super().__init__(f"No object has the key {key}.")
        self.key = key


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredObject:
    """An object's metadata. Some stores don't keep a content type."""

    key: str
    size: int
    modified_at: datetime
    content_type: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PresignedRequest:
    """A request to the store that needs no other credentials until it expires.

    Attributes:
        url: absolute.
        headers: required, exactly as they are.
        fields: if not empty, the body is `multipart/form-data`: these fields, then the content as `file`. If empty, the
            body is the content.
    """

    method: str
    url: str
    expires_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)


class Storage(Protocol):
    """A store of objects. Use it through `ObjectStore`, which validates the arguments.

    Each method raises `StorageUnavailableError` if the store doesn't respond or fails, and `StorageFullError` if it has
    no space left.
    """

    async def upload(self, key: str, content: AsyncIterator[bytes], *, content_type: str) -> None:
        """Store or replace an object atomically."""
        ...

    def download(self, key: str, *, first: int | None = None) -> AsyncIterator[bytes]:
        """Yield the content in chunks; with `first`, only that many bytes from the start.

        Raises:
            ObjectMissingError: before the first chunk, if no object has this key.
        """
        ...

    async def find(self, key: str) -> StoredObject | None:
        """Return an object's metadata, or `None` if no object has this key."""
        ...

    async def delete(self, key: str) -> None:
        """Delete an object. Deleting a missing object is not an error."""
        ...

    def list_files(self, prefix: str) -> AsyncIterator[Sequence[StoredObject]]:
        """Yield all objects in the folder `prefix`, in batches. An empty prefix lists every object of the store."""
        ...

    async def presign_upload(
        self, key: str, *, content_type: str, size: int, expires_in: timedelta
    ) -> PresignedRequest:
        """Return a request that stores exactly one object and never replaces one."""
        ...

    async def presign_download(
        self, key: str, *, filename: str, content_type: str, expires_in: timedelta
    ) -> PresignedRequest:
        """Return a GET request whose response a browser saves under `filename` and never displays."""
        ...


async def _healthy(_runtime: Runtime) -> None:
    """Report no problem."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StorageProviderSpec:
    """A provider of the port; each module in `app/storage/providers/` builds one as `provider`.

    Attributes:
        name: the value of STORAGE_PROVIDER that selects it.
        settings: its settings class.
        open: opens the store when the application starts and closes it when the application stops.
        public_router: the routes behind its links, if this application serves them itself.
        check: raises if the store works but needs attention, such as a disk that is nearly full.
        open_bucket: opens another bucket with the same credentials, by its name, for large objects such as backups.
        rejects_spent_links: whether an upload link stays unusable after the uploaded file has been deleted.
    """

    name: str
    settings: type[ModuleSettings]
    open: Callable[[Runtime], AbstractAsyncContextManager[Storage]]
    public_router: APIRouter | None = None
    check: Callable[[Runtime], Awaitable[None]] = _healthy
    open_bucket: Callable[[Runtime, str], AbstractAsyncContextManager[Storage]] | None = None
    rejects_spent_links: bool = False
