"""Looks into a store."""

from app.storage.service import StorageService


async def content(storage: StorageService, key: str, *, first: int | None = None) -> bytes:
    """All of an object, or its start."""
    return b"".join([piece async for piece in storage.download(key, first=first)])


async def keys(storage: StorageService, prefix: str) -> list[str]:
    """The keys below a folder."""
    return sorted([item.key async for batch in storage.list_files(prefix) for item in batch])
